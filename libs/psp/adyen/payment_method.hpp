// What the merchant gave to pay with, as members of POST /payments.
//
// Transaction::payment_method holds under "adyen" one of
//
// | a stored card  | storedPaymentMethodId, shopperReference; recurringProcessingModel if it is not to be   |
// |                |   chosen here                                                                         |
// | encrypted data | encryptedCardNumber, encryptedExpiryMonth, encryptedExpiryYear; encryptedSecurityCode, |
// |                |   holderName                                                                          |
//
// and nothing else: above all no card number, which Adyen takes only from accounts with an approval by PCI
// DSS. The "test_" values of Adyen's test cards pass where no money moves. "type" may be given and is
// "scheme".
//
// A stored card is charged as ContAuth: with CardOnFile where the customer is there (return_url), else as
// UnscheduledCardOnFile. (Adyen, Checkout API v71, POST /payments; Tokenization.)
#pragma once

#include <expected>
#include <string>

#include "payment/transaction.hpp"

namespace switchyard::psp::adyen {

// JSON members without braces, such as `"paymentMethod":{...},"shopperInteraction":"Ecommerce"`, always the
// same for the same transaction. The error says what is wrong and repeats nothing of it.
std::expected<std::string, std::string> payment_method_members(const payment::Transaction& transaction,
                                                               bool is_live);

}  // namespace switchyard::psp::adyen
