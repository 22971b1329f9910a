public import SystemPackage
internal import TesseraCore
internal import TesseraNN

/// Checkpoints of BERT as Hugging Face's `transformers` names their tensors.
extension BERT {
  /// Takes over the weights of a `model.safetensors`.
  ///
  /// Names may begin with `bert.`; heads that come after the encoder, as the pooler, are left out.
  ///
  /// - Parameter path: The file.
  /// - Throws: ``TensorError``, naming the tensor, if one is missing or of another shape; then nothing has changed.
  public func load(huggingFace path: FilePath) throws {
    let file = try SafeTensors(contentsOf: path)
    let prefix = file.entries["bert.embeddings.word_embeddings.weight"] != nil ? "bert." : ""
    func tensor(_ name: String) throws -> Tensor { try file.tensor(prefix + name) }
    var entries: [(String, Tensor)] = []
    for (ours, theirs) in Self.embeddings {
      entries.append((ours, try tensor("embeddings.\(theirs)")))
    }
    for index in layers.indices {
      let (ours, theirs) = ("layers.\(index)", "encoder.layer.\(index)")
      for kind in ["weight", "bias"] {
        let parts = try ["query", "key", "value"].map {
          try tensor("\(theirs).attention.self.\($0).\(kind)")
        }
        entries.append(("\(ours).attention.input.\(kind)", try concatenate(parts)))
        for (mine, other) in Self.layerParts {
          entries.append(("\(ours).\(mine).\(kind)", try tensor("\(theirs).\(other).\(kind)")))
        }
      }
    }
    try load(ModelState(entries))
  }

  /// Our names of what is in front of the layers, and theirs.
  private static var embeddings: [(String, String)] {
    [
      ("tokens.weight", "word_embeddings.weight"),
      ("positions.weight", "position_embeddings.weight"),
      ("types.weight", "token_type_embeddings.weight"),
      ("norm.weight", "LayerNorm.weight"), ("norm.bias", "LayerNorm.bias"),
    ]
  }

  /// Our names of a layer's parts, but for the attention's input, which they have in three parts.
  private static var layerParts: [(String, String)] {
    [
      ("attention.output", "attention.output.dense"),
      ("attentionNorm", "attention.output.LayerNorm"), ("intermediate", "intermediate.dense"),
      ("output", "output.dense"), ("outputNorm", "output.LayerNorm"),
    ]
  }
}
