// Boost.JSON as a part of the fuzzers, so that libFuzzer sees its branches.
#include <boost/json/src.hpp>
