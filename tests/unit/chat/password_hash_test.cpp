// Hashes of passwords, against another implementation and what nobody should write.
#include "src/chat/service/password_hash.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace tern::chat;

TEST_CASE("password: what was made is known again, and nothing else is") {
  const std::string hash = make_password_hash("open sesame");
  CHECK(hash.starts_with("$scrypt$ln=15,r=8,p=3$"));
  CHECK(is_password_hash(hash));
  CHECK(is_password_of(hash, "open sesame"));
  CHECK_FALSE(is_password_of(hash, "open sesame "));
  CHECK(hash != make_password_hash("open sesame"));  // another salt
}

TEST_CASE("password: as another implementation has it") {
  // Python: hashlib.scrypt(b"password", salt=b"NaClNaCl", n=1024, r=8, p=16, dklen=32)
  const std::string hash =
      "$scrypt$ln=10,r=8,p=16$TmFDbE5hQ2w$XsC2ZTdXJ4zsfzVdRtTQNNSXMToqf+tcSxiTF5U/EW4";
  CHECK(is_password_of(hash, "password"));
  CHECK_FALSE(is_password_of(hash, "Password"));
}

TEST_CASE("password: what is no hash, or costs too little or too much") {
  const std::string salt = "TmFDbE5hQ2w";
  const std::string key = "MTIzNDU2Nzg5MDEyMzQ1Ng";
  CHECK(is_password_hash("$scrypt$ln=10,r=8,p=1$" + salt + "$" + key));
  for (const std::string& text : {
           std::string(),
           std::string("$scrypt$"),
           "$scrypt$ln=9,r=8,p=1$" + salt + "$" + key,
           "$scrypt$ln=20,r=8,p=1$" + salt + "$" + key,  // a gigabyte
           "$scrypt$ln=99999999999999999999,r=8,p=1$" + salt + "$" + key,
           "$scrypt$ln=17,r=8,p=64$" + salt + "$" + key,
           "$scrypt$ln=10,r=0,p=1$" + salt + "$" + key,
           "$scrypt$ln=10,r=8$" + salt + "$" + key,
           "$scrypt$ln=10,r=8,p=1$$" + key,
           "$scrypt$ln=10,r=8,p=1$" + salt,
           "$scrypt$ln=10,r=8,p=1$" + salt + "$MTIz",
           "$scrypt$ln=10,r=8,p=1$" + salt + "$" + key + "$" + key,
           "$scrypt$ln=10,r=8,p=1$" + salt + "$" + key + "==",
           "$scrypt$ln=10,r=8,p=1$" + salt + "$" + std::string(1000, 'A'),
           "$argon2id$ln=10,r=8,p=1$" + salt + "$" + key,
       }) {
    CHECK_MESSAGE(!is_password_hash(text), text);
    CHECK_FALSE(is_password_of(text, "password"));
  }
}
