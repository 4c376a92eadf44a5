// What is wrong with the parameters of a request, as Stripe would say it; nothing if nothing is. Pure.
#pragma once

#include <optional>

#include <boost/json/object.hpp>

#include "psp-simulator/dialect/dialect.hpp"
#include "psp-simulator/stripe/form.hpp"

namespace switchyard::psp_simulator::stripe {

std::optional<Reply> check_create(const Form& form);
std::optional<Reply> check_update(const Form& form);
std::optional<Reply> check_confirm(const Form& form, const boost::json::object& intent);
std::optional<Reply> check_capture(const Form& form);
std::optional<Reply> check_cancel(const Form& form);
std::optional<Reply> check_refund(const Form& form);

}  // namespace switchyard::psp_simulator::stripe
