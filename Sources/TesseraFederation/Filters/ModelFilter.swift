internal import TesseraCore

/// A filter for models: an exchange that has tensors elsewhere, which it would let pass as they are, is refused by its name.
///
/// It is for ``TaskScope/training`` unless it says otherwise.
public protocol ModelFilter: Filter {}

extension ModelFilter {
  /// Training.
  public var scope: TaskScope { .training }
}

extension ClipNorm: ModelFilter {
  /// Whatever may be answered with a model of the site's own.
  public var scope: TaskScope { .ownModels }
}
extension GaussianNoise: ModelFilter {
  /// Whatever may be answered with a model of the site's own.
  public var scope: TaskScope { .ownModels }
}
extension LaplaceNoise: ModelFilter {
  /// Whatever may be answered with a model of the site's own.
  public var scope: TaskScope { .ownModels }
}
extension PercentilePrivacy: ModelFilter {
  /// Whatever may be answered with a model of the site's own.
  public var scope: TaskScope { .ownModels }
}
extension SVTPrivacy: ModelFilter {
  /// Whatever may be answered with a model of the site's own.
  public var scope: TaskScope { .ownModels }
}
extension ExcludeTensors {
  /// All but a first model, which must be whole.
  public var scope: TaskScope { .except([.initialize]) }
}
extension ConvertWeights: ModelFilter {}
extension Quantize: ModelFilter {}
extension TopK: ModelFilter {}

/// A filter that configurations have a name for.
protocol NamedFilter: Filter {
  static var name: String { get }
}

extension ClipNorm: NamedFilter {}
extension ConvertWeights: NamedFilter {}
extension Densify: NamedFilter {}
extension Dequantize: NamedFilter {}
extension ExcludeTensors: NamedFilter {}
extension GaussianNoise: NamedFilter {}
extension LaplaceNoise: NamedFilter {}
extension PercentilePrivacy: NamedFilter {}
extension PersonalTensors: NamedFilter {}
extension Quantize: NamedFilter {}
extension SVTPrivacy: NamedFilter {}
extension TopK: NamedFilter {}
extension ExcludeMetrics: NamedFilter {}
extension EncryptModel: NamedFilter {}
extension DecryptModel: NamedFilter {}

extension Exchange {
  /// Whether it, or a part of it, has tensors that are no model.
  var hasLooseTensors: Bool {
    kind.isModel
      ? parts.values.contains { $0.byteCount > 0 }
      : !tensors.names.isEmpty || parts.values.contains(where: \.hasLooseTensors)
  }
}
