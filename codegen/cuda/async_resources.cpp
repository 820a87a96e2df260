// What an asynchronous program takes, against what there is.
#include "codegen/cuda/async_program.hpp"
#include "ir/support/format.hpp"

namespace hyperion::codegen {

std::vector<std::string> resource_faults(const AsyncProgram& program, int shared_limit) {
  std::vector<std::string> faults;
  if (program.shared_bytes > shared_limit) {
    faults.push_back(format("{} B of shared memory, {} allowed", program.shared_bytes, shared_limit));
  }
  int stage = 0;
  for (int bytes : program.operand_bytes) {
    stage += bytes;
    if (bytes % 1024 != 0)
      faults.push_back(format("an operand's stage of {} B is no multiple of 1024: swizzled tiles begin there", bytes));
  }
  if (program.stages * stage > program.shared_bytes)
    faults.push_back("the ring is larger than the shared memory asked for");
  if (program.stages < 2) faults.push_back("a ring of one stage");
  int threads = 0, registers = 0;
  for (const AsyncRole& role : program.roles) {
    if (role.members > 0 && (program.roles.size() > 1 || role.threads != 32 * role.members)) {
      faults.push_back(format("{} has {} members: they are all the warps of the block", role.name, role.members));
    }
    const int each = role.registers == 0 ? program.launch_registers : role.registers;
    if (each % 8 != 0 || each < 24 || each > 256)
      faults.push_back(format("{} wants {} registers: a multiple of 8 from 24 to 256", role.name, each));
    threads += role.threads;
    registers += role.threads * each;
  }
  if (threads != program.threads)
    faults.push_back(format("roles have {} threads, the block {}", threads, program.threads));
  if (program.blocks * program.threads * program.launch_registers > 65536) {
    faults.push_back(
        format("{} blocks of {} threads of {} registers", program.blocks, program.threads, program.launch_registers));
  }
  if (registers > 65536) faults.push_back(format("the roles want {} registers, 65536 there are", registers));
  return faults;
}

}  // namespace hyperion::codegen
