internal import CTessera

/// What becomes of the losses of single elements.
public enum LossReduction: Int, Hashable, Sendable {
  /// They are returned as they are.
  case none = 0
  /// Their mean, weighted where there are weights.
  case mean = 1
  /// Their sum.
  case sum = 2
}

// LibTorch's fused loss kernels. TesseraNN's losses give them names and defaults.
extension Tensor {
  /// Cross-entropy of logits, `[batch, classes, …]`, and labels, `[batch, …]`.
  ///
  /// - Throws: ``TensorError`` with code ``TensorError/Code/indexOutOfRange`` if a label is no class.
  package func crossEntropy(
    labels: Tensor,
    weight: Tensor?,
    reduction: LossReduction,
    ignoring ignored: Int?,
    smoothing: Double
  ) throws -> Tensor {
    let classes = rank > 1 ? shape[1] : shape.first ?? 0
    return try named("a label is outside 0..<\(classes)", if: .indexOutOfRange) {
      try withExtendedLifetime((handle, labels.handle, weight?.handle)) {
        try Tensor.produced {
          tessera_cross_entropy(
            pointer,
            labels.pointer,
            weight?.pointer,
            reduction.rawValue,
            // LibTorch always ignores one label: by default -100, which may be a mistake in the data.
            ignored ?? .min,
            smoothing,
            $0
          )
        }
      }
    }
  }

  package func binaryCrossEntropy(
    target: Tensor,
    weight: Tensor?,
    positiveWeight: Tensor?,
    reduction: LossReduction
  ) throws -> Tensor {
    try withExtendedLifetime((handle, target.handle, weight?.handle, positiveWeight?.handle)) {
      try Tensor.produced {
        tessera_bce_with_logits(
          pointer,
          target.pointer,
          weight?.pointer,
          positiveWeight?.pointer,
          reduction.rawValue,
          $0
        )
      }
    }
  }

  package func meanSquaredError(_ target: Tensor, _ reduction: LossReduction) throws -> Tensor {
    try mapped(with: target) { tessera_mse($0, $1, reduction.rawValue, $2) }
  }

  package func meanAbsoluteError(_ target: Tensor, _ reduction: LossReduction) throws -> Tensor {
    try mapped(with: target) { tessera_l1($0, $1, reduction.rawValue, $2) }
  }

  package func huber(_ target: Tensor, delta: Double, _ reduction: LossReduction) throws -> Tensor {
    try mapped(with: target) { tessera_huber($0, $1, reduction.rawValue, delta, $2) }
  }
}
