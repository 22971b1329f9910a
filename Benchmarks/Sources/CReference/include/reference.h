// The same work written in C++ on LibTorch: what our figures are compared with.

#ifndef REFERENCE_H
#define REFERENCE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// A model, an optimiser and a batch, ready for training steps.
typedef struct ReferenceTraining ReferenceTraining;

typedef enum { REFERENCE_CLASSIFIER = 0, REFERENCE_RESNET18 = 1 } ReferenceModel;

ReferenceTraining *_Nonnull reference_training(ReferenceModel model, int32_t batch);
void reference_training_free(ReferenceTraining *_Nonnull training);
/// One step: forward, loss, backward, SGD with momentum.
void reference_step(ReferenceTraining *_Nonnull training);

/// `count` additions of two tensors of one element, without gradients.
void reference_additions(int64_t count);

/// Sets how many threads the calling thread's operations use.
void reference_use_threads(int32_t count);

/// Gives the memory that the allocator keeps for later back to the system.
void reference_trim_memory(void);

#ifdef __cplusplus
}
#endif

#endif
