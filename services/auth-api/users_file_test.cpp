#include "auth-api/users_file.hpp"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>

#include "base/environment.hpp"
#include "base/testing.hpp"
#include "store/sqlite/sqlite_store.hpp"
#include "token/password.hpp"

namespace switchyard::auth {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

class UsersFileTest : public ::testing::Test {
 protected:
  std::string write(const std::string& content) const {
    std::ofstream(path_, std::ios::binary) << content;
    return path_;
  }
  std::vector<UserInFile> read(const std::string& content, bool production = false) const {
    return read_users_file(write(content), production);
  }
  // What the operator is told; empty if the file was accepted.
  std::string refusal(const std::string& content, bool production = false) const {
    try {
      read(content, production);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "";
  }

  testing::TempDir folder_;
  const std::string path_ = folder_.file("users.json");
};

TEST_F(UsersFileTest, IsAListOfUsers) {
  const auto users = read(R"([{"id":7,"username":"alice","password":"a password","enabled":true},
                              {"enabled":false,"password":"\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9","username":"o'brien","id":9}])");
  ASSERT_THAT(users, SizeIs(2));
  EXPECT_EQ(users[0].id, UserId{7});
  EXPECT_EQ(users[0].username, "alice");
  EXPECT_EQ(users[0].password, "a password");
  EXPECT_TRUE(users[0].enabled);
  EXPECT_EQ(users[1].id, UserId{9});
  EXPECT_EQ(users[1].username, "o'brien");
  EXPECT_EQ(users[1].password, "éééééééé");
  EXPECT_FALSE(users[1].enabled);
  EXPECT_THAT(read("[]"), SizeIs(0));
}

TEST_F(UsersFileTest, TheOneOfTheProjectHoldsTheDemoUsers) {
  const auto path = (std::filesystem::path(__FILE__).parent_path() / "users.json").string();
  const auto users = read_users_file(path, false);
  ASSERT_THAT(users, SizeIs(3));
  EXPECT_EQ(users[0].username, "alice");
  EXPECT_EQ(users[1].username, "becky");
  EXPECT_EQ(users[2].username, "charlie");
  EXPECT_FALSE(users[2].enabled);
  EXPECT_THROW(read_users_file(path, true), ConfigError) << "and production refuses them";
}

TEST_F(UsersFileTest, ProductionRefusesTheDemoPassword) {
  const std::string content = R"([{"id":1,"username":"a","password":"my own one","enabled":true},
                                  {"id":2,"username":"b","password":"password","enabled":true}])";
  EXPECT_THAT(refusal(content, true),
              AllOf(StartsWith("USERS_FILE "), HasSubstr("entry 2"), HasSubstr("production")));
  EXPECT_EQ(refusal(content, false), "");
}

TEST_F(UsersFileTest, AFileThatIsNoListIsRefused) {
  for (const char* content : {"", "{}", "null", "[", "[1,]", R"({"users":[]})", "[] x"}) {
    EXPECT_THAT(refusal(content),
                AllOf(StartsWith("USERS_FILE "), HasSubstr(path_), HasSubstr("not a JSON array")))
        << content;
  }
  EXPECT_THROW(read_users_file("/nonexistent/users.json", false), ConfigError);
}

TEST_F(UsersFileTest, AFileWithoutAnEndIsRefused) {
  try {
    read_users_file("/dev/zero", false);
    ADD_FAILURE();
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("names /dev/zero, which is larger than 16 MiB"));
  }
}

TEST_F(UsersFileTest, AWrongEntryIsNumberedAndItsPasswordNotShown) {
  struct Row {
    std::string entry;
    const char* problem;
  };
  const std::string long_name(257, 'x');
  const std::string long_password(1025, 'x');
  for (const auto& [entry, problem] : std::vector<Row>{
           {"7", "not an object"},
           {"[]", "not an object"},
           {R"({"username":"b","password":"hunter22","enabled":true})", "id"},
           {R"({"id":0,"username":"b","password":"hunter22","enabled":true})", "id"},
           {R"({"id":-1,"username":"b","password":"hunter22","enabled":true})", "id"},
           {R"({"id":1.5,"username":"b","password":"hunter22","enabled":true})", "id"},
           {R"({"id":"2","username":"b","password":"hunter22","enabled":true})", "id"},
           {R"({"id":9223372036854775808,"username":"b","password":"hunter22","enabled":true})", "id"},
           {R"({"id":2,"password":"hunter22","enabled":true})", "username"},
           {R"({"id":2,"username":" ","password":"hunter22","enabled":true})", "username"},
           {R"({"id":2,"username":"b\u200b","password":"hunter22","enabled":true})", "U+200B"},
           {R"({"id":2,"username":" b","password":"hunter22","enabled":true})", "blank"},
           {R"({"id":2,"username":7,"password":"hunter22","enabled":true})", "username"},
           {R"({"id":2,"username":")" + long_name + R"(","password":"hunter22","enabled":true})", "username"},
           {R"({"id":2,"username":"b","enabled":true})", "password"},
           {R"({"id":2,"username":"b","password":"","enabled":true})", "password"},
           {R"({"id":2,"username":"b","password":"a","enabled":true})", "fewer than 8 characters"},
           {R"({"id":2,"username":"b","password":"éééé","enabled":true})", "fewer than 8 characters"},
           {R"({"id":2,"username":"b","password":")" + long_password + R"(","enabled":true})", "password"},
           {R"({"id":2,"username":"b","password":"          ","enabled":true})", "is blank"},
           {R"({"id":2,"username":"4111111111111111","password":"hunter22","enabled":true})", "card number"},
           {R"({"id":2,"username":"b","password":"hunter22","enbaled":true})",
            R"("enbaled"; perhaps "enabled")"},
           {R"({"id":2,"username":"b","password":"hunter22","enabled":true,"note":"x"})", "none of id"},
           {R"({"id":2,"username":"b","password":"hunter22"})", "enabled"},
           {R"({"id":2,"username":"b","password":"hunter22","enabled":"true"})", "enabled"},
           {R"({"id":1,"username":"b","password":"hunter22","enabled":true})", "twice"},
           {R"({"id":2,"username":"a","password":"hunter22","enabled":true})", "twice"},
       }) {
    EXPECT_THAT(refusal(R"([{"id":1,"username":"a","password":"a password","enabled":true},)" + entry + "]"),
                AllOf(StartsWith("USERS_FILE "), HasSubstr("entry 2 "), HasSubstr(problem),
                      Not(HasSubstr("hunter22"))))
        << entry;
  }
}

class ImportUsersTest : public ::testing::Test {
 protected:
  std::size_t import(const std::vector<UserInFile>& users) {
    return import_users(store_, threads_, users, clock_.now());
  }
  std::optional<store::User> find(const std::string& username) {
    return *threads_.run(0, [&] { return store_.find_user(username); });
  }

  testing::TempDir folder_;
  testing::ManualClock clock_;
  IoThreads threads_{1};
  store::SqliteStore store_{folder_.file("store.db")};
};

TEST_F(ImportUsersTest, GivesAnEmptyStoreItsFirstUsers) {
  EXPECT_EQ(import({{{3}, "alice", "secret of alice", true}, {{5}, "charlie", "secret of charlie", false}}),
            2U);
  const auto alice = find("alice");
  ASSERT_TRUE(alice);
  EXPECT_EQ(alice->id, UserId{3});
  EXPECT_THAT(alice->password_hash, AllOf(StartsWith("$argon2id$"), Not(HasSubstr("secret"))));
  EXPECT_TRUE(token::verify_password(alice->password_hash, "secret of alice"));
  EXPECT_FALSE(find("charlie")->enabled);
}

TEST_F(ImportUsersTest, LeavesAStoreWithUsersAlone) {
  EXPECT_EQ(import({{{3}, "alice", "first", true}}), 1U);
  EXPECT_EQ(import({{{3}, "alice", "second", true}, {{4}, "becky", "second", true}}), 0U);
  EXPECT_TRUE(token::verify_password(find("alice")->password_hash, "first"));
  EXPECT_EQ(find("becky"), std::nullopt);
}

TEST_F(ImportUsersTest, AnEmptyListIsNoImport) {
  EXPECT_EQ(import({}), 0U);
}

}  // namespace
}  // namespace switchyard::auth
