// A corpus of bad tokens, of which not one may be accepted. Where the fault is in the content, the token is
// signed with the right secret, so that it is the check of the content that refuses it.

#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>

#include "token/base64url.hpp"
#include "token/jose_header.hpp"
#include "token/jwt.hpp"

namespace switchyard::token {
namespace {

using namespace std::chrono_literals;
using enum TokenErrorCode;

constexpr std::string_view signing_secret = "0123456789abcdef0123456789abcdef";
constexpr Timestamp judged_at{1'700'000'000'000ms};
constexpr std::string_view good_payload =
    R"({"user_id":1,"username":"alice","enabled":true,"exp":1700000030})";

struct BadToken {
  std::string name;
  std::string token;
  TokenErrorCode code;
};

std::string mac_of(std::string_view input, std::string_view key = signing_secret) {
  const HmacSha256::Mac mac = HmacSha256(key).sign(input);
  return base64url_encode({reinterpret_cast<const char*>(mac.data()), mac.size()});
}

// Signs two segments as they are, whether they are base64url or not.
std::string sign_segments(const std::string& header, const std::string& payload) {
  const std::string input = header + '.' + payload;
  return input + '.' + mac_of(input);
}

std::string with_header(std::string_view header) {
  return sign_segments(base64url_encode(header), base64url_encode(good_payload));
}

std::string signed_payload(std::string_view payload) {
  return sign_segments(base64url_encode(hs256_header), base64url_encode(payload));
}

std::string with_claims(std::string_view user_id, std::string_view username, std::string_view enabled,
                        std::string_view exp) {
  return signed_payload(std::string("{\"user_id\":")
                            .append(user_id)
                            .append(",\"username\":")
                            .append(username)
                            .append(",\"enabled\":")
                            .append(enabled)
                            .append(",\"exp\":")
                            .append(exp)
                            .append("}"));
}

std::string with_user_id(std::string_view value) {
  return with_claims(value, "\"alice\"", "true", "1700000030");
}
std::string with_username(std::string_view value) {
  return with_claims("1", value, "true", "1700000030");
}
std::string with_enabled(std::string_view value) {
  return with_claims("1", "\"alice\"", value, "1700000030");
}
std::string with_exp(std::string_view value) {
  return with_claims("1", "\"alice\"", "true", value);
}
std::string with_nbf(std::string_view value) {
  return with_exp("1700000030,\"nbf\":" + std::string(value));
}

const std::string header_segment = base64url_encode(hs256_header);
const std::string payload_segment = base64url_encode(good_payload);
const std::string good = signed_payload(good_payload);
const std::string good_signature = good.substr(good.rfind('.') + 1);

std::string unsigned_token(std::string_view header) {
  return base64url_encode(header) + '.' + payload_segment + '.';
}

std::vector<BadToken> bad_algorithms() {
  std::vector<BadToken> tokens;
  for (const std::string alg :
       {"none", "None", "NONE", "nOnE", "", "RS256", "RS512", "ES256", "PS256", "EdDSA", "HS384", "HS512",
        "HS1", "hs256", "HS256 ", " HS256", "HS256\\u0000", "dir"}) {
    const std::string header = R"({"alg":")" + alg + R"(","typ":"JWT"})";
    tokens.push_back(
        {"alg '" + alg + "', signed with the secret", with_header(header), algorithm_not_allowed});
    tokens.push_back({"alg '" + alg + "', empty signature", unsigned_token(header), algorithm_not_allowed});
  }
  for (const std::string alg : {"null", "true", "256", "[\"HS256\"]", "{\"HS256\":1}"}) {
    tokens.push_back({"alg is " + alg, with_header(R"({"alg":)" + alg + "}"), algorithm_not_allowed});
  }
  tokens.push_back({"alg missing", with_header(R"({"typ":"JWT"})"), algorithm_not_allowed});
  tokens.push_back({"alg in another case", with_header(R"({"Alg":"HS256"})"), algorithm_not_allowed});
  tokens.push_back({"alg HS256, empty signature", unsigned_token(hs256_header), signature_mismatch});
  return tokens;
}

std::vector<BadToken> bad_headers() {
  const auto of = [](std::string_view header) { return with_header(header); };
  return {
      {"typ JWE", of(R"({"alg":"HS256","typ":"JWE"})"), invalid_header},
      {"typ at+jwt", of(R"({"alg":"HS256","typ":"at+jwt"})"), invalid_header},
      {"typ empty", of(R"({"alg":"HS256","typ":""})"), invalid_header},
      {"typ null", of(R"({"alg":"HS256","typ":null})"), invalid_header},
      {"typ a list", of(R"({"alg":"HS256","typ":["JWT"]})"), invalid_header},
      {"typ longer", of(R"({"alg":"HS256","typ":"JWT "})"), invalid_header},
      {"unknown crit",
       of(R"({"alg":"HS256","crit":["http://example.invalid/x"],"http://example.invalid/x":1})"),
       invalid_header},
      {"crit exp", of(R"({"alg":"HS256","crit":["exp"],"exp":1700000030})"), invalid_header},
      {"crit empty", of(R"({"alg":"HS256","crit":[]})"), invalid_header},
      {"crit null", of(R"({"alg":"HS256","crit":null})"), invalid_header},
      {"b64 false", of(R"({"alg":"HS256","b64":false,"crit":["b64"]})"), invalid_header},
      {"b64 false without crit", of(R"({"alg":"HS256","b64":false})"), invalid_header},
      {"b64 true", of(R"({"alg":"HS256","b64":true})"), invalid_header},
      {"alg twice", of(R"({"alg":"none","alg":"HS256"})"), invalid_header},
      {"alg twice, once escaped", of(R"({"\u0061lg":"none","alg":"HS256"})"), invalid_header},
      {"header not JSON", of("alg=HS256"), invalid_header},
      {"header a list", of(R"(["alg","HS256"])"), invalid_header},
      {"header a string", of(R"("HS256")"), invalid_header},
      {"header null", of("null"), invalid_header},
      {"header an empty string", of(""), invalid_header},
      {"header cut off", of(R"({"alg":"HS256")"), invalid_header},
      {"header with garbage behind", of(R"({"alg":"HS256"}x)"), invalid_header},
      {"header with a NUL behind", of(std::string_view("{\"alg\":\"HS256\"}\0", 16)), invalid_header},
      {"header not UTF-8", of("{\"alg\":\"HS256\",\"kid\":\"\xff\"}"), invalid_header},
      {"header deeply nested",
       of(R"({"alg":"HS256","x":)" + std::string(1000, '[') + std::string(1000, ']') + "}"), invalid_header},
  };
}

std::vector<BadToken> bad_shapes() {
  using namespace std::string_literals;
  const std::string dot = ".";
  const std::string jwe = base64url_encode(R"({"alg":"dir","enc":"A128GCM"})") + "..AAAA.AAAA.AAAA";
  return {
      {"empty", "", not_enough_segments},
      {"one dot", ".", not_enough_segments},
      {"two dots", "..", invalid_header},
      {"not a token", "token", not_enough_segments},
      {"header only", header_segment, not_enough_segments},
      {"header and payload", header_segment + dot + payload_segment, not_enough_segments},
      {"no header", dot + payload_segment + dot + good_signature, invalid_header},
      {"no payload", header_segment + dot + dot + good_signature, signature_mismatch},
      {"no payload, signed", sign_segments(header_segment, ""), invalid_payload},
      {"a dot behind", good + dot, too_many_segments},
      {"a dot before", dot + good, too_many_segments},
      {"four parts", good + ".AAAA", too_many_segments},
      {"five parts (JWE)", jwe, too_many_segments},
      {"the Bearer word", "Bearer " + good, invalid_header},
      {"quoted", "\"" + good + "\"", invalid_header},
      {"NUL behind", good + '\0', signature_mismatch},
      {"NUL before", '\0' + good, invalid_header},
      {"NUL in the payload", header_segment + dot + '\0' + payload_segment + dot + good_signature,
       signature_mismatch},
      {"garbage behind", good + "AAAA", signature_mismatch},
      {"line end behind", good + "\n", signature_mismatch},
      {"space before", " " + good, invalid_header},
      {"over-long", signed_payload(std::string(max_token_bytes, ' ') + std::string(good_payload)), too_long},
      {"a megabyte of dots", std::string(1 << 20, '.'), too_long},
  };
}

std::vector<BadToken> bad_encodings() {
  const std::string dot = ".";
  // The last of 43 characters holds four bits of the signature; the two unused ones are set here.
  std::string loose_signature = good_signature;
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  loose_signature.back() = alphabet[alphabet.find(good_signature.back()) + 1];
  const std::string input = header_segment + dot + payload_segment + dot;
  return {
      {"signature padded", good + "=", signature_mismatch},
      {"signature with loose bits", input + loose_signature, signature_mismatch},
      {"signature with '+'", input + "+" + good_signature.substr(1), signature_mismatch},
      {"signature with '/'", input + "/" + good_signature.substr(1), signature_mismatch},
      {"signature with a space", input + good_signature.substr(0, 20) + " " + good_signature.substr(20),
       signature_mismatch},
      {"header padded", sign_segments(header_segment + "=", payload_segment), invalid_header},
      {"header with a line end", sign_segments(header_segment + "\n", payload_segment), invalid_header},
      {"header with loose bits", sign_segments("eyJhbGciOiJIUzI1NiJ8", payload_segment), invalid_header},
      {"payload padded", sign_segments(header_segment, base64url_encode("{\"a\":1}") + "=="),
       invalid_payload},
      {"payload with '+'", sign_segments(header_segment, "+" + payload_segment), invalid_payload},
      {"payload with '/'", sign_segments(header_segment, "/" + payload_segment), invalid_payload},
      {"payload with a space", sign_segments(header_segment, payload_segment + " "), invalid_payload},
      {"payload with loose bits", sign_segments(header_segment, "e31"), invalid_payload},
      {"payload of impossible length", sign_segments(header_segment, "AAAAA"), invalid_payload},
      {"payload not encoded", sign_segments(header_segment, std::string(good_payload)), invalid_payload},
  };
}

std::vector<BadToken> bad_signatures() {
  const std::string input = header_segment + '.' + payload_segment;
  const std::string forged =
      header_segment + '.' +
      base64url_encode(R"({"user_id":2,"username":"alice","enabled":true,"exp":1700000030})");
  std::vector<BadToken> tokens = {
      {"another secret", input + '.' + mac_of(input, "fedcba9876543210fedcba9876543210"), signature_mismatch},
      {"the secret with one more byte", input + '.' + mac_of(input, std::string(signing_secret) + "0"),
       signature_mismatch},
      {"modified payload", forged + '.' + good_signature, signature_mismatch},
      {"modified header",
       base64url_encode(R"({"alg":"HS256"})") + '.' + payload_segment + '.' + good_signature,
       signature_mismatch},
      {"signature of the payload only", input + '.' + mac_of(payload_segment), signature_mismatch},
      {"signature of all zeros", input + '.' + std::string(43, 'A'), signature_mismatch},
      {"signature twice", input + '.' + good_signature + good_signature, signature_mismatch},
      {"modified payload that is no JSON", header_segment + ".AAAA." + good_signature, signature_mismatch},
  };
  for (std::size_t size = 0; size < good.size(); ++size) {
    const std::string cut = good.substr(0, size);
    const bool has_all_segments = size > input.size();
    tokens.push_back({"cut to " + std::to_string(size) + " bytes", cut,
                      has_all_segments ? signature_mismatch : not_enough_segments});
  }
  return tokens;
}

std::vector<BadToken> bad_payloads() {
  using namespace std::string_view_literals;
  return {
      {"payload empty", signed_payload(""), invalid_payload},
      {"payload null", signed_payload("null"), invalid_payload},
      {"payload a list", signed_payload("[" + std::string(good_payload) + "]"), invalid_payload},
      {"payload a string", signed_payload("\"alice\""), invalid_payload},
      {"payload a number", signed_payload("1"), invalid_payload},
      {"payload cut off", signed_payload(good_payload.substr(0, good_payload.size() - 1)), invalid_payload},
      {"payload twice", signed_payload(std::string(good_payload) + std::string(good_payload)),
       invalid_payload},
      {"garbage behind the payload", signed_payload(std::string(good_payload) + "x"), invalid_payload},
      {"NUL behind the payload", signed_payload(std::string(good_payload) + '\0'), invalid_payload},
      {"byte order mark", signed_payload("\xef\xbb\xbf" + std::string(good_payload)), invalid_payload},
      {"trailing comma", with_exp("1700000030,"), invalid_payload},
      {"comment", with_exp("1700000030/**/"), invalid_payload},
      {"deep nesting", with_exp("1700000030,\"x\":" + std::string(1000, '[') + std::string(1000, ']')),
       invalid_payload},
      {"nesting that never ends", with_exp("1700000030,\"x\":" + std::string(2000, '[')), invalid_payload},
      {"user_id twice", with_user_id("2,\"user_id\":1"), invalid_payload},
      {"user_id twice, once escaped", with_user_id("2,\"user\\u005fid\":1"), invalid_payload},
      {"enabled twice", with_enabled("false,\"enabled\":true"), invalid_payload},
      {"exp twice", with_exp("1,\"exp\":1700000030"), invalid_payload},
      {"unknown claim twice", with_exp("1700000030,\"x\":1,\"x\":1"), invalid_payload},
      {"payload empty object", signed_payload("{}"), invalid_claims},
  };
}

std::vector<BadToken> bad_claims() {
  std::vector<BadToken> tokens = {
      {"no user_id", signed_payload(R"({"username":"alice","enabled":true,"exp":1700000030})"),
       invalid_claims},
      {"no username", signed_payload(R"({"user_id":1,"enabled":true,"exp":1700000030})"), invalid_claims},
      {"no enabled", signed_payload(R"({"user_id":1,"username":"alice","exp":1700000030})"), invalid_claims},
      {"no exp", signed_payload(R"({"user_id":1,"username":"alice","enabled":true})"), invalid_claims},
      {"names in another case",
       signed_payload(R"({"User_id":1,"Username":"alice","Enabled":true,"Exp":1700000030})"), invalid_claims},
      {"claims one level down", signed_payload("{\"claims\":" + std::string(good_payload) + "}"),
       invalid_claims},
      {"username of 257 bytes", with_username('"' + std::string(max_username_bytes + 1, 'x') + '"'),
       invalid_claims},
      {"username not UTF-8", with_username("\"\xff\xfe\""), invalid_payload},
      {"username of an overlong form", with_username("\"\xc0\xaf\""), invalid_payload},
      {"username with half a surrogate pair", with_username("\"\\ud800\""), invalid_payload},
      {"username with a raw control character", with_username("\"a\nb\""), invalid_payload},
  };
  const auto add = [&tokens](const std::string& claim, auto with, const std::vector<std::string>& values,
                             TokenErrorCode code = invalid_claims) {
    for (const auto& value : values) {
      tokens.push_back({std::string(claim).append(" is ").append(value), with(value), code});
    }
  };
  add("user_id", with_user_id,
      {"0", "-0", "-1", "1.0", "1e0", "1.5", "true", "null", "\"1\"", "\"\"", "[1]", "{}",
       "9223372036854775808", "18446744073709551615", "18446744073709551617",
       "1000000000000000000000000000000", "1e400", "-1e400", "-9223372036854775808"});
  add("user_id", with_user_id, {"01", "+1", "0x1", "NaN", "Infinity", "1."}, invalid_payload);
  add("username", with_username, {"1", "true", "null", "[\"alice\"]", "{\"alice\":1}"});
  add("enabled", with_enabled, {"1", "0", "\"true\"", "null", "[]", "[true]", "{}"});
  add("enabled", with_enabled, {"True", "yes"}, invalid_payload);
  const std::vector<std::string> no_dates = {"-1",
                                             "-0.5",
                                             "-1e400",
                                             "\"1700000030\"",
                                             "true",
                                             "null",
                                             "[1700000030]",
                                             "{}",
                                             "9223372036854775807",
                                             "9223372036854775808",
                                             "1e400",
                                             "1e30",
                                             "1000000000000000000000000000000",
                                             "253402300800",
                                             "253402300799.5"};
  add("exp", with_exp, no_dates);
  add("nbf", with_nbf, no_dates);
  add("exp", with_exp, {"0", "0.0", "1e-400", "1", "1699999999", "1700000000", "1.7e9", "1699999999.999"},
      expired);
  add("nbf", with_nbf, {"1700000001", "1700000000.001", "1700000000.5", "253402300799"}, not_yet_valid);
  return tokens;
}

class RefusedToken : public testing::TestWithParam<std::vector<BadToken> (*)()> {};

TEST_P(RefusedToken, IsNeverAccepted) {
  const Jwt jwt = Jwt::create(signing_secret, "another secret that is 32 bytes long").value();
  ASSERT_TRUE(jwt.verify(good, judged_at));
  for (const BadToken& bad : GetParam()()) {
    const auto claims = jwt.verify(bad.token, judged_at);
    EXPECT_FALSE(claims) << bad.name;
    if (!claims) {
      EXPECT_EQ(claims.error().message(), TokenError{bad.code}.message()) << bad.name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Algorithm, RefusedToken, testing::Values(&bad_algorithms));
INSTANTIATE_TEST_SUITE_P(Header, RefusedToken, testing::Values(&bad_headers));
INSTANTIATE_TEST_SUITE_P(Shape, RefusedToken, testing::Values(&bad_shapes));
INSTANTIATE_TEST_SUITE_P(Encoding, RefusedToken, testing::Values(&bad_encodings));
INSTANTIATE_TEST_SUITE_P(Signature, RefusedToken, testing::Values(&bad_signatures));
INSTANTIATE_TEST_SUITE_P(Payload, RefusedToken, testing::Values(&bad_payloads));
INSTANTIATE_TEST_SUITE_P(ClaimValue, RefusedToken, testing::Values(&bad_claims));

TEST(FlippedBit, MakesAGoodTokenBad) {
  const Jwt jwt = Jwt::create(signing_secret).value();
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(jwt.verify(bad, judged_at)) << bit;
  }
}

TEST(RefusedTokenText, SaysSoInTheWordsClientsKnow) {
  EXPECT_EQ(TokenError{not_enough_segments}.message(), "Not enough segments");
  EXPECT_EQ(TokenError{algorithm_not_allowed}.message(), "The specified alg value is not allowed");
  EXPECT_EQ(TokenError{signature_mismatch}.message(), "Signature verification failed.");
  EXPECT_EQ(TokenError{expired}.message(), "Signature has expired.");
  EXPECT_EQ(TokenError{not_yet_valid}.message(), "The token is not yet valid (nbf)");
}

}  // namespace
}  // namespace switchyard::token
