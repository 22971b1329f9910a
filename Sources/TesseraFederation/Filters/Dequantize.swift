internal import TesseraCore

/// Undoes ``Quantize``: dtypes and shapes are as they were, elements as near as the codes allow.
///
/// Models that are not quantised pass as they are, so that sites may choose.
public struct Dequantize: Filter {
  /// The name in configurations.
  public static let name = "dequantize"
  /// What a model may hold once its tensors have their size again.
  public let limits: ExchangeLimits

  /// Undoes ``Quantize``.
  ///
  /// - Parameter limits: What a model may hold afterwards; checked before it is allocated.
  public init(limits: ExchangeLimits = ExchangeLimits()) {
    self.limits = limits
  }

  /// The models with their dtypes and shapes.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/rejectedUpdate``, naming the site and the tensor, if codes,
  ///   scales or notes are not what ``Quantize`` makes; with ``FederationError/Code/limitExceeded`` if the result would be too
  ///   large.
  public func apply(to exchange: Exchange, in context: FilterContext) throws -> Exchange {
    try exchange.mapModels(in: context) { model, place in
      var result = model
      var bytes = 0
      while let note = result.metadata.processing.last,
        let format = Quantize.Format.allCases.first(where: { $0.note == note.algorithm })
      {
        result.metadata.processing.removeLast()
        let coding = try Coding(note, format, place)
        result.tensors = try restored(result.tensors, note.tensors, coding, place, &bytes)
      }
      let left = result.metadata.processing.first { $0.algorithm.hasPrefix("quantised: ") }
      if let left {
        throw place.refusal(
          "filter '\(Self.name)': '\(left.algorithm)' lies beneath what was done later"
        )
      }
      return result
    }
  }

  /// What one note says.
  private struct Coding {
    var format: Quantize.Format
    var dtype: DType
    var blocks: BlockCode

    init(_ note: Exchange.Processing, _ format: Quantize.Format, _ place: FilteredModel) throws {
      guard let number = note.parameters["dtype"].flatMap(Int.init(exactly:)),
        Quantize.dtypes.indices.contains(number)
      else { throw place.refusal("'\(note.algorithm)' does not say of which dtype") }
      guard let size = note.parameters["block"].flatMap(Int.init(exactly:)),
        format.hasScales ? Quantize.blockSizes.contains(size) : size == 1
      else { throw place.refusal("'\(note.algorithm)' has no size of blocks that can be") }
      self.format = format
      dtype = Quantize.dtypes[number]
      blocks = BlockCode(size: size)
    }
  }

  private func restored(
    _ state: ModelState,
    _ names: [String],
    _ coding: Coding,
    _ place: FilteredModel,
    _ bytes: inout Int
  ) throws -> ModelState {
    var restored: [String: Tensor] = [:]
    var used: Set<String> = []
    for name in names {
      guard restored[name] == nil, !used.contains(name) else {
        throw place.refusal("it is noted twice", tensor: name)
      }
      restored[name] = try decoded(name, in: state, coding, place, &bytes, &used)
    }
    if let both = names.first(where: used.contains) {
      throw place.refusal("it is the codes of one tensor and the scales of another", tensor: both)
    }
    return try ModelState(
      state.entries.filter { !used.contains($0.name) }.map { name, tensor in
        (name, restored[name] ?? tensor)
      }
    )
  }

  private func decoded(
    _ name: String,
    in state: ModelState,
    _ coding: Coding,
    _ place: FilteredModel,
    _ bytes: inout Int,
    _ used: inout Set<String>
  ) throws -> Tensor {
    func companion(_ suffix: String, _ dtype: DType, _ count: Int? = nil) throws -> Tensor {
      guard let tensor = state[name + suffix] else {
        throw place.refusal("'\(name + suffix)' is missing", tensor: name)
      }
      guard tensor.dtype == dtype, tensor.rank == 1, tensor.count == count ?? tensor.count else {
        let wanted = "\(count.map { "[\($0)]" } ?? "one dimension") of \(dtype)"
        throw place.refusal("it is \(tensor), not \(wanted)", tensor: name + suffix)
      }
      used.insert(name + suffix)
      return tensor
    }
    guard let codes = state[name] else { throw place.refusal("it is missing", tensor: name) }
    let expected: DType =
      switch coding.format {
      case .float16: .float16
      case .bfloat16: .bfloat16
      case .int8: .int8
      case .fp4, .nf4: .uint8
      }
    guard codes.dtype == expected else {
      throw place.refusal("its codes are \(codes.dtype), not \(expected)", tensor: name)
    }
    var shape = codes.shape
    if coding.format.levels != nil {
      shape = try companion(Quantize.shapeSuffix, .int64).array(of: Int.self)
    }
    do {
      try limits.check(tensor: name, shape: shape, dtype: coding.dtype, bytes: &bytes)
    } catch let error as FederationError {
      throw FederationError(code: error.code, message: place.refusal(error.message).message)
    }
    let count = shape.reduce(1, *)
    guard coding.format.hasScales else {
      try place.requireFinite(codes, name)
      return try codes.to(coding.dtype)
    }
    if coding.format.levels != nil {
      guard codes.rank == 1, codes.count == count / 2 + count % 2 else {
        throw place.refusal("its codes are \(codes), for elements of shape \(shape)", tensor: name)
      }
    }
    let wide = coding.dtype.computing
    let scales = try companion(Quantize.scaleSuffix, wide, coding.blocks.count(of: count))
    guard count > 0 else { return try Tensor.zeros(shape, dtype: coding.dtype) }
    guard try scales.holdsOnlyFinite(), try scales.minimum().item() >= 0 else {
      throw place.refusal("a scale is not a finite number of at least 0", tensor: name)
    }
    let elements: Tensor
    if let levels = coding.format.levels {
      let pairs = try FourBitCode(levels, dtype: wide).unpacked(codes)
      elements = try coding.blocks.decoded(pairs.slices(in: 0..<count), scales)
    } else {
      elements = try coding.blocks.decoded(codes, scales / 127)
    }
    return try elements.reshaped(to: shape).to(coding.dtype)
  }
}
