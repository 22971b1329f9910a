#include "csentencepiece.h"

#include <exception>
#include <new>
#include <string>
#include <unordered_map>
#include <vector>

// Read under our warnings, which are stricter than its own.
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wall"
#pragma clang diagnostic ignored "-Wextra"
#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>
#pragma clang diagnostic pop

struct CSentencePieceModel {
  sentencepiece::SentencePieceProcessor processor;
};

namespace {

thread_local std::string last_message;

CSentencePieceCode failed(CSentencePieceCode code, std::string message) noexcept {
  last_message = std::move(message);
  return code;
}

struct Failure : std::exception {
  CSentencePieceCode code;
  std::string message;
  Failure(CSentencePieceCode code, std::string message) : code(code), message(std::move(message)) {}
  const char *what() const noexcept override { return message.c_str(); }
};

template <typename Body>
CSentencePieceCode guarded(Body &&body) noexcept {
  try {
    body();
    return CSENTENCEPIECE_OK;
  } catch (const Failure &failure) {
    return failed(failure.code, failure.message);
  } catch (const std::bad_alloc &) {
    return failed(CSENTENCEPIECE_OUT_OF_MEMORY, "host memory is exhausted");
  } catch (const std::exception &error) {
    return failed(CSENTENCEPIECE_INTERNAL, error.what());
  } catch (...) {
    return failed(CSENTENCEPIECE_INTERNAL, "an unknown C++ exception");
  }
}

void require(const sentencepiece::util::Status &status, CSentencePieceCode code) {
  if (!status.ok()) throw Failure(code, status.error_message());
}

/// Texts that come one by one from the caller.
class Texts final : public sentencepiece::SentenceIterator {
 public:
  Texts(CSentencePieceTexts next, void *context) : next_(next), context_(context) { Next(); }
  bool done() const override { return is_done_; }
  const std::string &value() const override { return value_; }
  sentencepiece::util::Status status() const override { return {}; }
  void Next() override {
    const uint8_t *text = nullptr;
    const ptrdiff_t size = next_(context_, &text);
    is_done_ = size < 0;
    if (!is_done_) value_.assign(reinterpret_cast<const char *>(text), static_cast<size_t>(size));
  }

 private:
  CSentencePieceTexts next_;
  void *context_;
  std::string value_;
  bool is_done_ = false;
};

}  // namespace

const char *csentencepiece_last_message(void) { return last_message.c_str(); }

CSentencePieceCode csentencepiece_load(const uint8_t *bytes, ptrdiff_t count, CSentencePieceModel **out) {
  return guarded([&] {
    auto model = std::make_unique<CSentencePieceModel>();
    require(model->processor.LoadFromSerializedProto({reinterpret_cast<const char *>(bytes), static_cast<size_t>(count)}), CSENTENCEPIECE_MALFORMED);
    *out = model.release();
  });
}

void csentencepiece_release(CSentencePieceModel *model) { delete model; }

int32_t csentencepiece_count(const CSentencePieceModel *model) { return model->processor.GetPieceSize(); }

void csentencepiece_special(const CSentencePieceModel *model, int32_t numbers[4]) {
  numbers[0] = model->processor.pad_id();
  numbers[1] = model->processor.unk_id();
  numbers[2] = model->processor.bos_id();
  numbers[3] = model->processor.eos_id();
}

CSentencePieceCode csentencepiece_encode(const CSentencePieceModel *model, const uint8_t *text, ptrdiff_t size, int32_t *numbers, ptrdiff_t capacity, ptrdiff_t *count) {
  return guarded([&] {
    std::vector<int> pieces;
    require(model->processor.Encode({reinterpret_cast<const char *>(text), static_cast<size_t>(size)}, &pieces), CSENTENCEPIECE_INTERNAL);
    const auto found = static_cast<ptrdiff_t>(pieces.size());
    for (ptrdiff_t index = 0; index < found && index < capacity; ++index) numbers[index] = pieces[static_cast<size_t>(index)];
    *count = found;
  });
}

CSentencePieceCode csentencepiece_train(CSentencePieceTexts texts, void *context, int32_t pieces, double coverage, void (*receive)(void *context, const uint8_t *bytes, ptrdiff_t count)) {
  return guarded([&] {
    Texts iterator(texts, context);
    if (iterator.done()) throw Failure(CSENTENCEPIECE_INVALID_ARGUMENT, "there is no text");
    const std::unordered_map<std::string, std::string> settings = {
        {"model_type", "unigram"},
        {"vocab_size", std::to_string(pieces)},
        // Where the texts do not give so many pieces, there are fewer.
        {"hard_vocab_limit", "false"},
        {"character_coverage", std::to_string(coverage)},
        {"normalization_rule_name", "nmt_nfkc_cf"},
        {"pad_id", "0"},
        {"unk_id", "1"},
        {"bos_id", "2"},
        {"eos_id", "3"},
        // The result does not depend on how many threads there are, but on one thread it does not depend on the machine either.
        {"num_threads", "1"},
        {"input_sentence_size", "0"},
        {"minloglevel", "2"},
    };
    std::string model;
    require(sentencepiece::SentencePieceTrainer::Train(settings, &iterator, &model), CSENTENCEPIECE_INVALID_ARGUMENT);
    receive(context, reinterpret_cast<const uint8_t *>(model.data()), static_cast<ptrdiff_t>(model.size()));
  });
}
