#include "reference.h"

#include <torch/nn.h>
#include <torch/optim.h>

#include <malloc.h>

namespace nn = torch::nn;

namespace {

struct Forward {
  virtual ~Forward() = default;
  virtual torch::Tensor forward(torch::Tensor x) = 0;
  virtual std::vector<torch::Tensor> parameters() = 0;
};

struct ClassifierImpl : nn::Module {
  nn::Conv2d conv1{nullptr}, conv2{nullptr};
  nn::Linear hidden{nullptr}, head{nullptr};

  ClassifierImpl() {
    conv1 = register_module("conv1", nn::Conv2d(nn::Conv2dOptions(1, 16, 5).stride(2).padding(2)));
    conv2 = register_module("conv2", nn::Conv2d(nn::Conv2dOptions(16, 32, 3).stride(2).padding(1)));
    hidden = register_module("hidden", nn::Linear(32 * 7 * 7, 64));
    head = register_module("head", nn::Linear(64, 10));
  }

  torch::Tensor forward(torch::Tensor x) {
    auto h = torch::relu(conv2(torch::relu(conv1(x))));
    return head(torch::relu(hidden(h.flatten(1))));
  }
};
TORCH_MODULE(Classifier);

nn::Conv2d conv(int64_t inputs, int64_t outputs, int64_t kernel, int64_t stride, int64_t padding) {
  return nn::Conv2d(nn::Conv2dOptions(inputs, outputs, kernel).stride(stride).padding(padding).bias(false));
}

struct BlockImpl : nn::Module {
  nn::Conv2d conv1{nullptr}, conv2{nullptr}, shortcut{nullptr};
  nn::BatchNorm2d norm1{nullptr}, norm2{nullptr}, shortcut_norm{nullptr};

  BlockImpl(int64_t inputs, int64_t outputs, int64_t stride) {
    conv1 = register_module("conv1", conv(inputs, outputs, 3, stride, 1));
    norm1 = register_module("norm1", nn::BatchNorm2d(outputs));
    conv2 = register_module("conv2", conv(outputs, outputs, 3, 1, 1));
    norm2 = register_module("norm2", nn::BatchNorm2d(outputs));
    if (stride != 1 || inputs != outputs) {
      shortcut = register_module("shortcut", conv(inputs, outputs, 1, stride, 0));
      shortcut_norm = register_module("shortcut_norm", nn::BatchNorm2d(outputs));
    }
  }

  torch::Tensor forward(torch::Tensor x) {
    auto h = norm2(conv2(torch::relu(norm1(conv1(x)))));
    return torch::relu(h + (shortcut.is_empty() ? x : shortcut_norm(shortcut(x))));
  }
};
TORCH_MODULE(Block);

struct ResNet18Impl : nn::Module {
  nn::Conv2d stem{nullptr};
  nn::BatchNorm2d norm{nullptr};
  nn::Sequential blocks;
  nn::Linear head{nullptr};

  ResNet18Impl() {
    stem = register_module("stem", conv(3, 64, 3, 1, 1));
    norm = register_module("norm", nn::BatchNorm2d(64));
    int64_t inputs = 64;
    for (int64_t index = 0; index < 8; ++index) {
      const int64_t outputs = int64_t{64} << (index / 2);
      blocks->push_back(Block(inputs, outputs, index % 2 == 0 && index > 0 ? 2 : 1));
      inputs = outputs;
    }
    register_module("blocks", blocks);
    head = register_module("head", nn::Linear(512, 10));
  }

  torch::Tensor forward(torch::Tensor x) {
    return head(blocks->forward(torch::relu(norm(stem(x)))).mean({2, 3}));
  }
};
TORCH_MODULE(ResNet18);

}  // namespace

struct ReferenceTraining {
  std::function<torch::Tensor(torch::Tensor)> forward;
  std::unique_ptr<torch::optim::SGD> optimizer;
  torch::Tensor images, labels;
};

ReferenceTraining *reference_training(ReferenceModel model, int32_t batch) {
  auto training = std::make_unique<ReferenceTraining>();
  torch::optim::SGDOptions options(0.01);
  options.momentum(0.9);
  std::vector<torch::Tensor> parameters;
  if (model == REFERENCE_CLASSIFIER) {
    Classifier net;
    parameters = net->parameters();
    training->forward = [net](torch::Tensor x) mutable { return net->forward(x); };
    training->images = torch::rand({batch, 1, 28, 28});
  } else {
    ResNet18 net;
    parameters = net->parameters();
    training->forward = [net](torch::Tensor x) mutable { return net->forward(x); };
    training->images = torch::rand({batch, 3, 32, 32});
  }
  training->labels = torch::randint(10, {batch}, torch::kLong);
  training->optimizer = std::make_unique<torch::optim::SGD>(parameters, options);
  return training.release();
}

void reference_training_free(ReferenceTraining *training) { delete training; }

void reference_step(ReferenceTraining *training) {
  training->optimizer->zero_grad();
  auto loss = torch::nn::functional::cross_entropy(training->forward(training->images), training->labels);
  loss.backward();
  training->optimizer->step();
}

void reference_additions(int64_t count) {
  const torch::NoGradGuard silent;
  torch::Tensor sum = torch::zeros({1});
  const torch::Tensor one = torch::ones({1});
  for (int64_t i = 0; i < count; ++i) sum = sum + one;
}

void reference_use_threads(int32_t count) { torch::set_num_threads(count); }

void reference_trim_memory(void) { malloc_trim(0); }
