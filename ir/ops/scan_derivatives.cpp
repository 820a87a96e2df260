// scan_derivatives.cpp: forward and reverse derivatives of scan, and batching.
//
// Reverse mode keeps the carries of every step and does the rest of a step's nonlinear work again on the way back.
#include "ir/ops/scan_parts.hpp"

namespace hyperion::ir::ops {

// Every part of the scan is followed by the tangents of that part.
std::vector<Value> jvp_scan(JvpContext& c) {
  Builder& b = c.builder;
  const ScanParts parts(c.attributes, c.operands.size());
  const Function& body = callee_of(b, c.attributes, "body");
  std::vector<Value> tangents = c.tangents;
  for (std::size_t k = parts.constants; k < parts.first_sequence(); ++k) {
    // A carry that starts without tangent may get one on the way.
    if (!tangents[k] && is_floating(c.operands[k].dtype())) tangents[k] = b.zeros(c.operands[k].type());
  }
  const std::vector<bool> active = present(tangents);
  const auto moving = [&](std::vector<Value> values) { return chosen(values, present(values)); };
  ScanBuilder scan{parts.constants_of(c.operands), parts.carries_of(c.operands), parts.sequences_of(c.operands)};
  const std::vector<Value> constants = moving(parts.constants_of(tangents)), carries = moving(parts.carries_of(tangents));
  append(scan.constants, constants);
  append(scan.carries, carries);
  append(scan.sequences, moving(parts.sequences_of(tangents)));
  const Function& derived = c.functions->jvp_of(body, active);
  const std::size_t result_count = c.results.size();
  const Function& step = write_function(*c.functions, body.name + "_step_jvp", scan.parameters(), [&](Builder& inner, std::span<const Value> all) {
    // (constants, their tangents, carries, theirs, elements, theirs) -> (primals, tangents)
    const std::size_t carry = scan.constants.size(), element = carry + scan.carries.size();
    std::vector<Value> arguments = part(all, 0, parts.constants);
    append(arguments, part(all, carry, carry + parts.carries));
    append(arguments, part(all, element, element + parts.sequences));
    append(arguments, part(all, parts.constants, carry));
    append(arguments, part(all, carry + parts.carries, element));
    append(arguments, part(all, element + parts.sequences, all.size()));
    const std::vector<Value> made = copy_body(inner, derived, arguments);
    std::vector<Value> results = part(made, 0, parts.carries);
    append(results, part(made, result_count, result_count + carries.size()));
    append(results, part(made, parts.carries, result_count));
    append(results, part(made, result_count + carries.size(), made.size()));
    return results;
  });
  const std::vector<Value> all = scan.apply(b, step, parts.length, c.attributes.boolean("reverse"));
  std::vector<Value> result(result_count);
  std::size_t carry = parts.carries, output = parts.carries + carries.size() + (result_count - parts.carries);
  for (std::size_t k = 0; k < result_count; ++k) {
    if (is_floating(c.results[k].dtype())) result[k] = all[k < parts.carries ? carry++ : output++];
  }
  return result;
}

namespace {

// What is linear in a scan, over all its steps.
struct LinearScan {
  ScanParts parts;
  const Function& body;
  std::vector<bool> operands;  // grown until it holds every carry that a step makes linear
  std::vector<bool> results;

  LinearScan(TransposeContext& c)
      : parts(c.attributes, c.operands.size()), body(callee_of(c.builder, c.attributes, "body")) {
    for (const Value& operand : c.operands) operands.push_back(!operand.valid());
    for (bool grown = true; grown;) {
      grown = false;
      results = c.functions->linear_results_of(body, operands);
      for (std::size_t k = 0; k < parts.carries; ++k) {
        if (!results[k] || operands[parts.constants + k]) continue;
        operands[parts.constants + k] = grown = true;
      }
    }
  }

  std::vector<bool> constants() const { return parts.constants_of(operands); }
  std::vector<bool> carries() const { return parts.carries_of(operands); }
  std::vector<bool> sequences() const { return parts.sequences_of(operands); }
};

// The carries that are not linear, as they were before each step.
std::vector<Value> carries_of_steps(TransposeContext& c, const LinearScan& linear) {
  const ScanParts& parts = linear.parts;
  ScanBuilder scan{chosen(parts.constants_of(c.operands), linear.constants(), false),
                   chosen(parts.carries_of(c.operands), linear.carries(), false),
                   chosen(parts.sequences_of(c.operands), linear.sequences(), false)};
  if (scan.carries.empty()) return {};
  const std::vector<Type> types = linear.body.parameter_types();
  const Function& forward = write_function(*c.functions, linear.body.name + "_carries", scan.parameters(), [&](Builder& b, std::span<const Value> given) {
    // The linear parameters are zero here; what depends on them is not looked at.
    std::vector<Value> arguments;
    std::size_t next = 0;
    for (std::size_t k = 0; k < types.size(); ++k) arguments.push_back(linear.operands[k] ? b.zeros(types[k]) : given[next++]);
    const std::vector<Value> made = copy_body(b, linear.body, arguments);
    std::vector<Value> results = chosen(part(made, 0, parts.carries), linear.carries(), false);
    append(results, part(given, scan.constants.size(), scan.constants.size() + scan.carries.size()));
    return results;
  });
  const std::vector<Value> all = scan.apply(c.builder, forward, parts.length, c.attributes.boolean("reverse"));
  return part(all, scan.carries.size(), all.size());
}

}  // namespace

// A scan in the other direction. Carried: the cotangents of the linear carries, and the sums of those of the linear
// constants. Sequences: the nonlinear carries and elements of each step, and the cotangents of the linear outputs.
std::vector<Value> transpose_scan(TransposeContext& c) {
  Builder& b = c.builder;
  const LinearScan linear(c);
  const ScanParts& parts = linear.parts;
  const auto cotangent = [&](std::size_t k) { return c.cotangents[k] ? c.cotangents[k] : b.zeros(c.result_types[k]); };
  ScanBuilder back{chosen(parts.constants_of(c.operands), linear.constants(), false), {}, carries_of_steps(c, linear)};
  std::size_t linear_carries = 0;
  for (std::size_t k = 0; k < parts.carries; ++k) {
    if (!linear.operands[parts.constants + k]) continue;
    back.carries.push_back(cotangent(k));
    ++linear_carries;
  }
  for (std::size_t k = 0; k < parts.constants; ++k) {
    if (linear.operands[k]) back.carries.push_back(b.zeros(c.type(static_cast<int>(k))));
  }
  append(back.sequences, chosen(parts.sequences_of(c.operands), linear.sequences(), false));
  const std::size_t known = back.constants.size() + back.sequences.size();  // nonlinear parameters of the body
  for (std::size_t k = parts.carries; k < linear.results.size(); ++k) {
    if (linear.results[k]) back.sequences.push_back(cotangent(k));
  }
  const Function& transposed = c.functions->transpose_of(linear.body, linear.operands);
  const Function& step = write_function(*c.functions, linear.body.name + "_step_back", back.parameters(), [&](Builder& inner, std::span<const Value> all) {
    const std::size_t carry = back.constants.size(), element = carry + back.carries.size();
    std::vector<Value> arguments = part(all, 0, carry);
    append(arguments, part(all, element, element + known - carry));
    std::size_t next = carry;
    for (std::size_t k = 0; k < parts.carries; ++k) {
      if (linear.results[k]) arguments.push_back(all[next]);
      next += linear.operands[parts.constants + k] ? 1 : 0;
    }
    append(arguments, part(all, element + known - carry, all.size()));
    const std::vector<Value> sent = copy_body(inner, transposed, arguments);  // of linear constants, carries, elements
    const std::size_t sums = back.carries.size() - linear_carries;
    std::vector<Value> results = part(sent, sums, sums + linear_carries);
    for (std::size_t k = 0; k < sums; ++k) results.push_back(all[carry + linear_carries + k] + sent[k]);
    append(results, part(sent, back.carries.size(), sent.size()));
    return results;
  });
  const std::vector<Value> all = back.apply(b, step, parts.length, !c.attributes.boolean("reverse"));
  std::vector<Value> result(c.operands.size());
  std::size_t carry = 0, constant = linear_carries, sequence = back.carries.size();
  for (std::size_t k = 0; k < result.size(); ++k) {
    if (!linear.operands[k]) continue;
    const Value sent = k < parts.constants ? all[constant++] : k < parts.first_sequence() ? all[carry++] : all[sequence++];
    if (c.is_linear(static_cast<int>(k))) result[k] = sent;
  }
  return result;
}

// All slices step together; a sequence has its batch behind the axis that is looped over.
std::vector<Value> batch_scan(BatchContext& c) {
  Builder& b = c.builder;
  const ScanParts parts(c.attributes, c.operands.size());
  std::vector<bool> batched = c.batched;
  ScanBuilder scan{parts.constants_of(c.operands), {}, {}};
  for (std::size_t k = parts.constants; k < c.operands.size(); ++k) {
    if (k < parts.first_sequence()) {
      scan.carries.push_back(c.batched_operand(static_cast<int>(k)));
      batched[k] = true;
    } else {
      scan.sequences.push_back(c.batched[k] ? move_axis(c.operands[k], 0, 1) : c.operands[k]);
    }
  }
  const Function& body = c.functions->vmap_of(callee_of(b, c.attributes, "body"), batched, c.size);
  std::vector<Value> results = scan.apply(b, body, parts.length, c.attributes.boolean("reverse"));
  for (std::size_t k = parts.carries; k < results.size(); ++k) results[k] = move_axis(results[k], 1, 0);
  return results;
}

}  // namespace hyperion::ir::ops
