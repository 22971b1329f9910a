internal import TesseraCore

/// Sends floating-point tensors with fewer bits for each element; ``Dequantize`` undoes it at the other side.
///
///     let site = SiteFilters(results: [try Quantize(.int8)])
///     let server = ServerFilters(results: [Dequantize()])
///
/// A tensor becomes codes under its own name, and those of few bits become scales under `name#scale` and, if the codes are
/// packed, a shape under `name#shape`. Tensors without fractions, and those that would not become smaller, travel as they are.
public struct Quantize: Filter {
  /// The name in configurations.
  public static let name = "quantize"
  /// What elements become.
  public let format: Format
  /// How many elements share a scale; 1 for formats without scales.
  public let blockSize: Int
  /// Which of the two neighbouring codes an element gets.
  public let rounding: Rounding

  /// What elements become.
  public enum Format: String, Sendable, Hashable, CaseIterable {
    /// IEEE half precision: 11 bits of precision, magnitudes from 6e-8 to 65,504. Larger ones are refused.
    case float16
    /// 8 bits of precision, the range of `float32`.
    case bfloat16
    /// `round(127 · x / a)` with *a* the largest magnitude of the element's block, as in Dettmers et al., 2022 ("8-bit optimizers
    /// via block-wise quantization", section 2), with evenly spaced codes: the error is at most *a* / 254, and rounding can be
    /// unbiased.
    case int8
    /// 4-bit floating point of a sign, 2 bits of exponent and 1 of fraction, scaled so that the greatest code is the block's
    /// largest magnitude (E2M1 of the Open Compute Project's microscaling formats, 2023).
    case fp4
    /// 4-bit codes at the quantiles of a normal distribution (Dettmers et al., 2023, "QLoRA", section 3 and appendix E).
    case nf4

    var hasScales: Bool { levels != nil || self == .int8 }
    /// The code book of packed formats, ascending.
    var levels: [Double]? {
      switch self {
      case .fp4: FourBitCode.fp4
      case .nf4: FourBitCode.nf4
      default: nil
      }
    }
    var note: String { "quantised: \(rawValue)" }
  }

  /// Which of the two neighbouring codes an element gets.
  public enum Rounding: String, Sendable, Hashable, CaseIterable {
    /// The nearer one.
    case nearest
    /// Either, the nearer one with the greater probability, so that the mean is the element (Gupta et al., 2015).
    case stochastic
  }

  /// Fewer bits.
  ///
  /// - Parameters:
  ///   - format: What elements become.
  ///   - blockSize: How many elements share a scale, an even number in `16...1_048_576`. If `nil`, 4,096 for `int8` and 64 for
  ///     formats of 4 bits.
  ///   - rounding: Which of the two neighbouring codes an element gets.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public init(
    _ format: Format = .int8,
    blockSize: Int? = nil,
    rounding: Rounding = .nearest
  ) throws {
    if let blockSize {
      guard format.hasScales else {
        throw FederationError.invalid(
          Self.name,
          "blockSize",
          blockSize,
          "left out for \(format.rawValue), which has no blocks,"
        )
      }
      guard Self.blockSizes.contains(blockSize), blockSize.isMultiple(of: 2) else {
        throw FederationError.invalid(
          Self.name,
          "blockSize",
          blockSize,
          "an even number in \(Self.blockSizes)"
        )
      }
    }
    self.format = format
    self.blockSize = format.hasScales ? blockSize ?? (format == .int8 ? 4096 : 64) : 1
    self.rounding = rounding
  }

  static let blockSizes = 16...1_048_576
  static let scaleSuffix = "#scale"
  static let shapeSuffix = "#shape"
  /// Original dtypes are noted by their position here.
  static let dtypes: [DType] = [.float16, .bfloat16, .float32, .float64]

  /// The models with fewer bits.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/rejectedUpdate`` if a tensor is not finite or too large for
  ///   the format, or the model is quantised already.
  public func apply(to exchange: Exchange, in context: FilterContext) throws -> Exchange {
    try exchange.mapModels(in: context) { model, place in
      if let last = model.metadata.processing.last, last.algorithm.hasPrefix("quantised: ") {
        throw place.refusal("filter '\(Self.name)': the tensors are '\(last.algorithm)' already")
      }
      var notes: [DType: Exchange.Processing] = [:]
      var entries: [(name: String, tensor: Tensor)] = []
      for (name, tensor) in model.tensors.entries {
        guard tensor.dtype.isFloatingPoint, byteCount(of: tensor) < tensor.byteCount else {
          entries.append((name, tensor))
          continue
        }
        try place.requireFinite(tensor, name)
        let coded = try code(tensor, name, place)
        entries += coded
        var note = notes[tensor.dtype] ?? emptyNote(tensor.dtype)
        note.tensors.append(name)
        note.bytesBefore += tensor.byteCount
        note.bytesAfter += coded.reduce(0) { $0 + $1.tensor.byteCount }
        notes[tensor.dtype] = note
      }
      var result = model
      do {
        result.tensors = try ModelState(entries)
      } catch let error as TensorError {
        throw place.refusal("filter '\(Self.name)': \(error.message)")
      }
      result.metadata.processing += Self.dtypes.compactMap { notes[$0] }
      return result
    }
  }

  private func emptyNote(_ dtype: DType) -> Exchange.Processing {
    let position = Self.dtypes.firstIndex(of: dtype) ?? 0
    return Exchange.Processing(
      format.note,
      tensors: [],
      parameters: ["dtype": Double(position), "block": Double(blockSize)],
      bytesBefore: 0,
      bytesAfter: 0
    )
  }

  /// The size of a tensor's codes and what goes with them.
  private func byteCount(of tensor: Tensor) -> Int {
    let scale = tensor.dtype.computing.byteCount
    let scales = (tensor.count / blockSize + (tensor.count % blockSize > 0 ? 1 : 0)) * scale
    switch format {
    case .float16, .bfloat16: return tensor.count * 2
    case .int8: return tensor.count + scales
    case .fp4, .nf4: return (tensor.count + 1) / 2 + scales + tensor.rank * 8
    }
  }

  private func code(
    _ tensor: Tensor,
    _ name: String,
    _ place: FilteredModel
  ) throws -> [(name: String, tensor: Tensor)] {
    let generator =
      rounding == .nearest ? nil : try Generator(key: place.key(Self.name, tensor: name))
    switch format {
    case .float16, .bfloat16:
      let codes = try HalfCode(dtype: format == .float16 ? .float16 : .bfloat16)
        .codes(of: tensor, rounding: generator)
      guard try codes.holdsOnlyFinite() else {
        throw place.refusal("its magnitudes are too large for \(format.rawValue)", tensor: name)
      }
      return [(name, codes)]
    case .int8:
      let (codes, scales) = try BlockCode(size: blockSize).coded(tensor) { block in
        try Self.integers(block * 127, generator).to(.int8)
      }
      return [(name, try codes.reshaped(to: tensor.shape)), (name + Self.scaleSuffix, scales)]
    case .fp4, .nf4:
      let book = try FourBitCode(format.levels ?? [], dtype: tensor.dtype.computing)
      let (codes, scales) = try BlockCode(size: blockSize).coded(tensor) { block in
        try book.packed(block, rounding: generator)
      }
      return [
        (name, codes), (name + Self.scaleSuffix, scales),
        (name + Self.shapeSuffix, try Tensor(tensor.shape.map(Int64.init))),
      ]
    }
  }

  /// Whole numbers in `-127...127`, the nearest or either neighbour.
  private static func integers(_ x: Tensor, _ generator: Generator?) throws -> Tensor {
    guard let generator else { return try x.rounded() }
    let chance = try Tensor.uniform(x.shape, dtype: x.dtype, using: generator)
    // 127 and a chance of nearly 1 may round to 128.
    return try floor(x + chance).clamped(to: 127)
  }
}

extension Tensor {
  /// The size of the elements in bytes.
  var byteCount: Int { count * dtype.byteCount }
}
