#include "switchyard/export_format.hpp"

#include <gmock/gmock.h>

namespace switchyard::cli {
namespace {

using std::chrono::milliseconds;

payment::Transaction example() {
  payment::Transaction transaction{.id = {*Uuid::parse("017f22e2-79b0-7cc3-98c4-dc0c0c07398f")},
                                   .merchant_id = {7},
                                   .amount = Money(2500, *Currency::parse("EUR"))};
  transaction.created_at = Timestamp(milliseconds(1'700'000'000'007));
  transaction.updated_at = Timestamp(milliseconds(1'700'000'001'000));
  return transaction;
}

TEST(CsvField, LeavesPlainTextAlone) {
  EXPECT_EQ(csv_field(""), "");
  EXPECT_EQ(csv_field("order 4711; né"), "order 4711; né");
  EXPECT_EQ(csv_field("1-2"), "1-2");
  EXPECT_EQ(csv_field("a=b"), "a=b");
}

TEST(CsvField, QuotesWhatWouldEndTheField) {
  EXPECT_EQ(csv_field("a,b"), R"("a,b")");
  EXPECT_EQ(csv_field(R"(say "hi")"), R"("say ""hi""")");
  EXPECT_EQ(csv_field("two\r\nlines"), "\"two\r\nlines\"");
  EXPECT_EQ(csv_field("\n"), "\"\n\"");
}

TEST(CsvField, KeepsASpreadsheetFromTakingATextForAFormula) {
  for (const std::string start : {"=", "+", "-", "@", "\t"}) {
    EXPECT_EQ(csv_field(start + "1"), "'" + start + "1");
  }
  EXPECT_EQ(csv_field("\r1"), "\"'\r1\"");
  EXPECT_EQ(csv_field(R"x(=HYPERLINK("http://x","y"))x"), R"x("'=HYPERLINK(""http://x"",""y"")")x");
}

TEST(CsvField, GuardsAnApostropheSoThatTheOneInFrontIsAlwaysOurs) {
  EXPECT_EQ(csv_field("'=1"), "''=1");
}

TEST(CsvLine, HasAFieldForEachColumn) {
  auto transaction = example();
  transaction.status = payment::Status::partially_refunded;
  transaction.authorized_minor = 2500;
  transaction.captured_minor = 2000;
  transaction.refunded_minor = 30;
  transaction.capture_method = payment::CaptureMethod::manual;
  transaction.reference = "order-4711";
  transaction.description = "+49 30 123";
  transaction.metadata = R"({"a":"b"})";
  transaction.reason = "05";
  EXPECT_EQ(
      csv_line(transaction),
      "017f22e2-79b0-7cc3-98c4-dc0c0c07398f,7,2023-11-14T22:13:20.007Z,2023-11-14T22:13:21.000Z,"
      "partially_refunded,2500,EUR,2500,2000,30,manual,order-4711,'+49 30 123,\"{\"\"a\"\":\"\"b\"\"}\",05\r\n");
  const auto count = [](std::string_view line) { return std::ranges::count(line, ','); };
  EXPECT_EQ(count(csv_header()), count(csv_line(example())));
  EXPECT_TRUE(csv_header().ends_with("\r\n"));
}

}  // namespace
}  // namespace switchyard::cli
