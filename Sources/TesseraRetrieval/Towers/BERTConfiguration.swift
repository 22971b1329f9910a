internal import Foundation
public import SystemPackage

/// The sizes of a ``BERT``.
public struct BERTConfiguration: Sendable, Hashable {
  /// How many tokens it knows.
  public var vocabulary: Int
  /// The width of a token's vector.
  public var width: Int
  /// How many layers it has.
  public var layers: Int
  /// How many heads attend in each.
  public var heads: Int
  /// The width within a layer, after attention.
  public var intermediate: Int
  /// The longest text, in tokens.
  public var positions: Int
  /// How many kinds of text a token can belong to: two where pairs of sentences are read.
  public var types: Int
  /// The share of elements that training drops.
  public var dropout: Double
  /// Added to the variance where vectors are normalised.
  public var epsilon: Double

  /// Sizes; `intermediate` is four times the width if `nil`.
  public init(
    vocabulary: Int,
    width: Int,
    layers: Int,
    heads: Int,
    intermediate: Int? = nil,
    positions: Int = 512,
    types: Int = 2,
    dropout: Double = 0.1,
    epsilon: Double = 1e-12
  ) {
    self.vocabulary = vocabulary
    self.width = width
    self.layers = layers
    self.heads = heads
    self.intermediate = intermediate ?? width.multipliedReportingOverflow(by: 4).partialValue
    self.positions = positions
    self.types = types
    self.dropout = dropout
    self.epsilon = epsilon
  }

  /// 2 layers of width 128 (Turc et al., 2019).
  public static func tiny(vocabulary: Int) -> Self {
    Self(vocabulary: vocabulary, width: 128, layers: 2, heads: 2)
  }

  /// 4 layers of width 256 (Turc et al., 2019).
  public static func mini(vocabulary: Int) -> Self {
    Self(vocabulary: vocabulary, width: 256, layers: 4, heads: 4)
  }

  /// 4 layers of width 512 (Turc et al., 2019).
  public static func small(vocabulary: Int) -> Self {
    Self(vocabulary: vocabulary, width: 512, layers: 4, heads: 8)
  }

  /// 8 layers of width 512 (Turc et al., 2019).
  public static func medium(vocabulary: Int) -> Self {
    Self(vocabulary: vocabulary, width: 512, layers: 8, heads: 8)
  }

  /// 12 layers of width 768 (Devlin et al., 2019).
  public static func base(vocabulary: Int) -> Self {
    Self(vocabulary: vocabulary, width: 768, layers: 12, heads: 12)
  }

  /// 24 layers of width 1024 (Devlin et al., 2019).
  public static func large(vocabulary: Int) -> Self {
    Self(vocabulary: vocabulary, width: 1024, layers: 24, heads: 16)
  }

  /// Reads a `config.json`, as Hugging Face's `transformers` writes it for BERT.
  ///
  /// - Throws: ``RetrievalError``, naming the file and the field, if it cannot be read or is for another kind of model.
  public init(contentsOf path: FilePath) throws {
    guard let data = FileManager.default.contents(atPath: path.string) else {
      throw RetrievalError(code: .missingFile, message: "the configuration \(path) cannot be read")
    }
    let file: File
    do {
      file = try JSONDecoder().decode(File.self, from: data)
    } catch let error as DecodingError {
      throw RetrievalError(
        code: .malformedFile,
        message: "the configuration \(path) is not one of BERT: \(error.field)"
      )
    }
    if let type = file.model_type, type != "bert" {
      throw RetrievalError(
        code: .malformedFile,
        message: "\(path): 'model_type' is not 'bert'"
      )
    }
    // Exact or by `tanh`: the layers here have the exact one.
    guard file.hidden_act ?? "gelu" == "gelu" else {
      throw RetrievalError(
        code: .malformedFile,
        message: "\(path): 'hidden_act' is not 'gelu', the only one that is supported"
      )
    }
    self.init(
      vocabulary: file.vocab_size,
      width: file.hidden_size,
      layers: file.num_hidden_layers,
      heads: file.num_attention_heads,
      intermediate: file.intermediate_size,
      positions: file.max_position_embeddings,
      types: file.type_vocab_size ?? 2,
      dropout: file.hidden_dropout_prob ?? 0.1,
      epsilon: file.layer_norm_eps ?? 1e-12
    )
  }

  /// The names are the file's.
  private struct File: Decodable {
    var model_type: String?
    var hidden_act: String?
    var vocab_size: Int
    var hidden_size: Int
    var num_hidden_layers: Int
    var num_attention_heads: Int
    var intermediate_size: Int
    var max_position_embeddings: Int
    var type_vocab_size: Int?
    var hidden_dropout_prob: Double?
    var layer_norm_eps: Double?
  }
}

extension DecodingError {
  /// Which field is wrong, and how.
  fileprivate var field: String {
    func name(_ path: [any CodingKey]) -> String {
      path.map(\.stringValue).joined(separator: ".")
    }
    return switch self {
    case .keyNotFound(let key, let context):
      "'\(name(context.codingPath + [key]))' is missing"
    case .typeMismatch(_, let context), .valueNotFound(_, let context):
      "'\(name(context.codingPath))' is of another kind"
    case .dataCorrupted: "it is not JSON"
    @unknown default: "it cannot be understood"
    }
  }
}
