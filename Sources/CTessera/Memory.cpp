// Where tensors and sums lie in memory.

#include "Failure.hpp"

#include <c10/core/CPUAllocator.h>

#include <link.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <cstddef>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "tessera.h"

namespace {

constexpr size_t page = 4096;
constexpr size_t large_page = 2 << 20;
constexpr size_t large_demand = 64 << 20;
size_t rounded_up(size_t size, size_t unit) { return (size + unit - 1) & ~(unit - 1); }

/// LibTorch's allocator for the CPU, but large blocks come from the system itself.
///
/// A training step allocates and frees the same few megabytes each time. By default the C library gives blocks of that size
/// back to the system at once, and every step pays for the page faults that bring them back: a third of a small network's
/// time. If it is told to keep them, it keeps more than is of use: aligned blocks rarely fit where such blocks were before, and
/// rounds of large models took up a third more memory. Here the block that was let go of last is used again for its size, and no
/// more than `most_kept` bytes, nor `most_blocks`, wait for that.
class Allocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t count) override {
    if (count < smallest) return small().allocate(count);
    const size_t size = rounded_up(count, page);
    void *memory = kept(size);
    if (memory == nullptr) memory = mapped(size);
    TORCH_CHECK_WITH(OutOfMemoryError, memory != nullptr, "can't allocate memory for a tensor of ", count, " bytes");
    return {memory, memory, &release, c10::Device(c10::DeviceType::CPU)};
  }

  c10::DeleterFnPtr raw_deleter() const override { return &release; }

  void copy_data(void *target, const void *source, size_t count) const override { default_copy_data(target, source, count); }

  static Allocator &shared() {
    // Never destroyed: tensors may outlive the statics of any file.
    static Allocator *const allocator = new Allocator;
    return *allocator;
  }

 private:
  struct Block {
    void *memory;
    size_t size;
  };

  // The C library sorts its free memory whenever a block of this size is let go.
  static constexpr size_t smallest = 64 << 10;
  static constexpr size_t most_kept = 128 << 20;
  // They are searched one after the other, the last one first, which in a loop of steps is soon found.
  static constexpr size_t most_blocks = 512;

  static c10::Allocator &small() { return *c10::GetDefaultCPUAllocator(); }

  /// A block that waits for this size, or for one that wastes little.
  void *kept(size_t size) {
    const std::lock_guard lock(mutex_);
    for (size_t index = waiting_.size(); index-- > 0;) {
      const Block block = waiting_[index];
      if (block.size < size || block.size - size > size / 8) continue;
      waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(index));
      waiting_size_ -= block.size;
      sizes_[block.memory] = block.size;
      return block.memory;
    }
    return nullptr;
  }

  void *mapped(size_t size) {
    void *memory = tessera_map(static_cast<ptrdiff_t>(size));
    const std::lock_guard lock(mutex_);
    if (memory == nullptr) {
      // Memory is short: nothing waits any longer.
      trim(0);
      memory = tessera_map(static_cast<ptrdiff_t>(size));
    }
    if (memory != nullptr) sizes_[memory] = size;
    return memory;
  }

  static void release(void *memory) {
    if (memory == nullptr || !shared().keep(memory)) small().raw_deleter()(memory);
  }

  /// Lets a block wait, unless it is none of ours.
  bool keep(void *memory) {
    if (reinterpret_cast<uintptr_t>(memory) % page != 0) return false;
    const std::lock_guard lock(mutex_);
    const auto found = sizes_.find(memory);
    if (found == sizes_.end()) return false;
    waiting_.push_back({memory, found->second});
    waiting_size_ += found->second;
    sizes_.erase(found);
    trim(most_kept);
    return true;
  }

  /// Gives blocks back to the system, those first that wait longest.
  void trim(size_t most) {
    size_t count = 0;
    for (; waiting_size_ > most || waiting_.size() - count > most_blocks; ++count) {
      tessera_unmap(waiting_[count].memory, 0, static_cast<ptrdiff_t>(waiting_[count].size));
      waiting_size_ -= waiting_[count].size;
    }
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(count));
  }

  std::mutex mutex_;
  /// The blocks in use.
  std::unordered_map<void *, size_t> sizes_;
  /// Those that wait, the last one last.
  std::vector<Block> waiting_;
  size_t waiting_size_ = 0;
};

[[maybe_unused]] const bool is_installed = [] {
  // Who has set the allocator from outside knows better.
  if (getenv("MALLOC_MMAP_THRESHOLD_") != nullptr || getenv("MALLOC_TRIM_THRESHOLD_") != nullptr) return false;
  // The C library keeps what is smaller, and what LibTorch's kernels allocate for themselves.
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 256 << 20);
  c10::SetCPUAllocator(&Allocator::shared(), /*priority=*/1);
  return true;
}();

/// Gives back what was read of a library's code and constants; what is used again is read again.
int empty_code(dl_phdr_info *library, size_t, void *) {
  for (size_t i = 0; i < library->dlpi_phnum; ++i) {
    const ElfW(Phdr) &segment = library->dlpi_phdr[i];
    // What can be written to has been: it exists in memory alone.
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
    const uintptr_t start = library->dlpi_addr + segment.p_vaddr;
    const uintptr_t first = rounded_up(start, page);
    const uintptr_t end = (start + segment.p_memsz) & ~(page - 1);
    if (first < end) madvise(reinterpret_cast<void *>(first), end - first, MADV_DONTNEED);
  }
  return 0;
}

}  // namespace

void tessera_keep_little(void) {
  mallopt(M_ARENA_MAX, 4);
  mallopt(M_TRIM_THRESHOLD, 4 << 20);
  dl_iterate_phdr(empty_code, nullptr);
}

void *tessera_map(ptrdiff_t count) {
  const size_t wanted = rounded_up(static_cast<size_t>(count), page);
  if (wanted < large_page) {
    void *const memory = mmap(nullptr, wanted, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? nullptr : memory;
  }
  // Before something large is added, what the C library keeps of messages and the like goes.
  if (wanted >= large_demand) malloc_trim(0);
  // A large page lies at a multiple of its size: as much more is asked for, and given back.
  const size_t asked = wanted + large_page;
  void *const memory = mmap(nullptr, asked, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  const uintptr_t start = reinterpret_cast<uintptr_t>(memory);
  const uintptr_t first = rounded_up(start, large_page);
  if (first > start) munmap(memory, first - start);
  if (first + wanted < start + asked) munmap(reinterpret_cast<void *>(first + wanted), start + asked - first - wanted);
  // A system that knows no such pages refuses, and nothing is lost.
  madvise(reinterpret_cast<void *>(first), wanted, MADV_HUGEPAGE);
  return reinterpret_cast<void *>(first);
}

void tessera_unmap(void *bytes, ptrdiff_t kept, ptrdiff_t count) {
  const size_t start = rounded_up(static_cast<size_t>(kept), page);
  const size_t end = rounded_up(static_cast<size_t>(count), page);
  if (start < end) munmap(static_cast<char *>(bytes) + start, end - start);
}

void tessera_empty_pages(void *bytes, ptrdiff_t count) {
  const uintptr_t start = reinterpret_cast<uintptr_t>(bytes);
  const uintptr_t first = rounded_up(start, page);
  const uintptr_t end = (start + static_cast<size_t>(count)) & ~(page - 1);
  if (first < end) madvise(reinterpret_cast<void *>(first), end - first, MADV_DONTNEED);
}
