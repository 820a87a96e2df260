// The container of module.hpp. Read top-down: constants of the format, writing, reading.
#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "ir/support/file.hpp"
#include "ir/support/format.hpp"
#include "ir/support/hash.hpp"
#include "runtime/memory/allocator.hpp"
#include "runtime/module.hpp"
#include "runtime/module_archive.hpp"

namespace hyperion::runtime {
namespace {

constexpr std::array<char, 8> kMagic = {'H', 'Y', 'P', 'E', 'R', 'I', 'O', 'N'};
constexpr std::uint32_t kMajor = 2;  // changes when old readers would misread
constexpr std::uint32_t kMinor = 0;
constexpr std::uint32_t kOptional = 1;
// Beyond it a file is no module of ours; bounds the work before the hash of the table is checked.
constexpr std::uint32_t kMaxSections = 1024;

constexpr std::uint32_t four_characters(const char (&name)[5]) {
  std::uint32_t kind = 0;
  for (int i = 3; i >= 0; --i) kind = kind << 8 | static_cast<unsigned char>(name[i]);
  return kind;
}
constexpr std::uint32_t kMeta = four_characters("META");
constexpr std::uint32_t kFunctions = four_characters("FUNC");
constexpr std::uint32_t kPlans = four_characters("PLAN");
constexpr std::uint32_t kConstants = four_characters("CNST");
constexpr std::uint32_t kObjects = four_characters("OBJX");

struct Header {
  std::array<char, 8> magic = kMagic;
  std::uint32_t major = kMajor;
  std::uint32_t minor = kMinor;
  std::uint64_t file_size = 0;
  std::uint32_t section_count = 0;
  std::uint32_t zero = 0;
  std::uint64_t table_offset = 0;
  std::uint64_t reserved = 0;
  Hash128 hash;  // of all above and the table
};
static_assert(sizeof(Header) == 64);

struct Section {
  std::uint32_t kind = 0;
  std::uint32_t flags = 0;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  std::uint32_t alignment = kAlignment;
  std::uint32_t zero = 0;
  Hash128 hash;
  std::array<std::uint64_t, 2> reserved = {};
};
static_assert(sizeof(Section) == 64);

Hash128 header_hash(const Header& header, std::span<const std::byte> table) {
  const std::span<const std::byte> head = std::as_bytes(std::span(&header, 1)).first(48);
  Bytes bytes(head.begin(), head.end());
  bytes.insert(bytes.end(), table.begin(), table.end());
  return hash_bytes(bytes);
}

// ---- Constants and objects: a list of sizes, then the bytes, each aligned. ----

void write_blobs(ArchiveWriter& archive, const std::vector<std::span<const std::byte>>& blobs) {
  std::vector<std::uint64_t> sizes;
  for (const std::span<const std::byte> blob : blobs) sizes.push_back(blob.size());
  archive.field(sizes);
  for (const std::span<const std::byte> blob : blobs) {
    archive.align(kAlignment);
    archive.raw(blob);
  }
}

std::vector<std::span<const std::byte>> read_blobs(ArchiveReader& archive) {
  std::vector<std::uint64_t> sizes;
  archive.field(sizes);
  std::vector<std::span<const std::byte>> blobs;
  for (const std::uint64_t size : sizes) {
    archive.align(kAlignment);
    blobs.push_back(archive.raw(size));
  }
  return blobs;
}

// ---- Reading ----

std::unexpected<Status> damaged(std::string message) {
  return error_status(Code::data_loss, std::move(message), {},
                      "the module file is damaged or incomplete: build it again");
}

struct Sections {
  std::span<const std::byte> file;
  std::vector<Section> table;

  std::optional<ArchiveReader> find(std::uint32_t kind) const {
    const auto found = std::ranges::find(table, kind, &Section::kind);
    if (found == table.end()) return std::nullopt;
    return ArchiveReader(file.subspan(found->offset, found->size));
  }
};

bool all_zero(std::span<const std::byte> bytes) {
  return std::ranges::all_of(bytes, [](std::byte each) { return each == std::byte{0}; });
}

// Sections follow one another, aligned, with nothing but zeros between: nothing can hide, nothing
// overlaps.
StatusOr<> check_layout(const Sections& sections, std::uint64_t table_end) {
  std::uint64_t end = table_end;
  for (const Section& section : sections.table) {
    const std::uint64_t start = (end + kAlignment - 1) / kAlignment * kAlignment;
    if (section.offset != start || start > sections.file.size() ||
        section.size > sections.file.size() - start) {
      return damaged("a section lies outside its place");
    }
    if (!all_zero(sections.file.subspan(end, start - end))) return damaged("a gap is not empty");
    if (hash_bytes(sections.file.subspan(start, section.size)) != section.hash) {
      return damaged("the checksum of a section is wrong");
    }
    end = start + section.size;
  }
  if (end != sections.file.size()) return damaged("bytes follow the last section");
  return {};
}

StatusOr<Sections> open_container(std::span<const std::byte> file) {
  Header header;
  if (file.size() < sizeof(Header)) return damaged(format("{} bytes are no module", file.size()));
  std::memcpy(&header, file.data(), sizeof(Header));
  if (header.magic != kMagic) return damaged("this is not a module file");
  if (header.file_size != file.size()) {
    return damaged(format("the file has {} bytes of {}", file.size(), header.file_size));
  }
  if (header.table_offset != sizeof(Header) || header.section_count > kMaxSections ||
      header.section_count * sizeof(Section) > file.size() - sizeof(Header)) {
    return damaged("the section table lies outside the file");
  }
  const std::span<const std::byte> table =
      file.subspan(sizeof(Header), header.section_count * sizeof(Section));
  if (header_hash(header, table) != header.hash)
    return damaged("the checksum of the header is wrong");
  if (header.major != kMajor) {
    return error_status(
        Code::incompatible,
        format("format {}.{}, this build reads {}.x", header.major, header.minor, kMajor), {},
        "build the module again with this version");
  }
  Sections sections{file, std::vector<Section>(header.section_count)};
  if (!table.empty()) std::memcpy(sections.table.data(), table.data(), table.size());
  HYP_TRY_VOID(check_layout(sections, sizeof(Header) + table.size()));
  for (const Section& section : sections.table) {
    const bool known = section.kind == kMeta || section.kind == kFunctions ||
                       section.kind == kPlans || section.kind == kConstants ||
                       section.kind == kObjects;
    if (!known && (section.flags & kOptional) == 0) {
      return error_status(Code::incompatible, "an unknown section is required", {},
                          "build the module again with this version");
    }
  }
  return sections;
}

// Runs `read` on a section and requires that it uses it up.
template <class Read>
StatusOr<> read_section(const Sections& sections, std::uint32_t kind, Read read) {
  std::optional<ArchiveReader> archive = sections.find(kind);
  if (!archive) return damaged("a section is missing");
  read(*archive);
  if (!archive->ok() || !archive->at_end()) return damaged("a section does not parse");
  return {};
}

bool known_dtype(DType dtype) { return static_cast<std::size_t>(dtype) < all_dtypes().size(); }

bool has_known_dtypes(const Function& function) {
  return std::ranges::all_of(function.arguments, known_dtype, &TensorType::dtype) &&
         std::ranges::all_of(function.outputs, [](const OutputType& output) {
           return known_dtype(output.type.dtype);
         });
}

}  // namespace

Bytes Module::serialize() const {
  std::vector<std::pair<std::uint32_t, Bytes>> sections;
  const auto add = [&](std::uint32_t kind, const auto& write) {
    ArchiveWriter archive;
    write(archive);
    sections.emplace_back(kind, archive.take());
  };
  add(kMeta, [&](ArchiveWriter& archive) { archive.field(producer); });
  add(kFunctions, [&](ArchiveWriter& archive) { archive.field(functions); });
  add(kPlans, [&](ArchiveWriter& archive) { archive.field(plans); });
  add(kConstants, [&](ArchiveWriter& archive) {
    std::vector<std::span<const std::byte>> blobs;
    for (const Constant& constant : constants) blobs.push_back(constant.bytes);
    write_blobs(archive, blobs);
  });
  add(kObjects,
      [&](ArchiveWriter& archive) { write_blobs(archive, {objects.begin(), objects.end()}); });

  Header header;
  header.section_count = static_cast<std::uint32_t>(sections.size());
  header.table_offset = sizeof(Header);
  std::vector<Section> table;
  std::uint64_t end = sizeof(Header) + sections.size() * sizeof(Section);
  for (const auto& [kind, bytes] : sections) {
    const std::uint64_t start = (end + kAlignment - 1) / kAlignment * kAlignment;
    table.push_back(
        {.kind = kind, .offset = start, .size = bytes.size(), .hash = hash_bytes(bytes)});
    end = start + bytes.size();
  }
  header.file_size = end;
  header.hash = header_hash(header, std::as_bytes(std::span(table)));

  ArchiveWriter file;
  file.raw(std::as_bytes(std::span(&header, 1)));
  file.raw(std::as_bytes(std::span(table)));
  for (const auto& [kind, bytes] : sections) {
    file.align(kAlignment);
    file.raw(bytes);
  }
  return file.take();
}

StatusOr<Module> Module::parse(std::span<const std::byte> bytes) {
  HYP_TRY(const Sections sections, open_container(bytes));
  Module module;
  HYP_TRY_VOID(read_section(sections, kMeta,
                            [&](ArchiveReader& archive) { archive.field(module.producer); }));
  HYP_TRY_VOID(read_section(sections, kFunctions,
                            [&](ArchiveReader& archive) { archive.field(module.functions); }));
  HYP_TRY_VOID(
      read_section(sections, kPlans, [&](ArchiveReader& archive) { archive.field(module.plans); }));
  HYP_TRY_VOID(read_section(sections, kConstants, [&](ArchiveReader& archive) {
    for (const auto blob : read_blobs(archive)) module.constants.push_back(Constant::copy(blob));
  }));
  HYP_TRY_VOID(read_section(sections, kObjects, [&](ArchiveReader& archive) {
    for (const auto blob : read_blobs(archive))
      module.objects.emplace_back(blob.begin(), blob.end());
  }));
  if (!std::ranges::all_of(module.functions, has_known_dtypes)) return damaged("an unknown dtype");
  if (StatusOr<> verified = module.verify(); !verified) {
    return damaged("the plans are inconsistent: " + verified.error().text());
  }
  return module;
}

StatusOr<Module> Module::load(const std::string& path) {
  HYP_TRY(const Bytes bytes, read_file(path));
  StatusOr<Module> module = parse(bytes);
  if (!module) module.error().where = path;
  return module;
}

StatusOr<> Module::save(const std::string& path) const {
  return write_file_atomically(path, serialize());
}

}  // namespace hyperion::runtime
