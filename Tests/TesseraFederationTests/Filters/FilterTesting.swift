import SystemPackage
import TesseraCore
import TesseraFederation
import Testing

/// What filters are tested with: a site, its place, and a model of `make_filters.py`.
enum Sample {
  static let site = Site(index: 3, name: "site-4", exampleCount: 10)

  static func context(
    _ side: FilterContext.Side = .site,
    _ direction: FilterContext.Direction = .result,
    task: TaskName = .train,
    round: Int = 1,
    reference: Exchange? = nil,
    memory: SiteMemory = SiteMemory(),
    seed: UInt64 = 1,
    secrets: SecretSource? = nil
  ) -> FilterContext {
    FilterContext(
      side: side,
      direction: direction,
      task: task,
      round: round,
      site: site,
      key: RandomKey(seed: seed),
      reference: reference,
      memory: memory,
      secrets: secrets ?? .reproducible(RandomKey(seed: seed))
    )
  }

  static func golden(_ name: String) throws -> Tensor {
    let folder = FilePath(#filePath).removingLastComponent().removingLastComponent()
    return try SafeTensors(contentsOf: folder.appending("Fixtures/filters.safetensors"))
      .tensor(name)
  }

  static func model(_ a: String, _ b: String) throws -> ModelState {
    try ModelState([(name: "a", tensor: golden(a)), (name: "b", tensor: golden(b))])
  }

  static func reference() throws -> ModelState {
    try model("model/reference_a", "model/reference_b")
  }

  static func change() throws -> ModelState { try model("model/a", "model/b") }

  /// The changed model as weights.
  static func weights() throws -> ModelState {
    let change = try change()
    return try reference().mapTensors { name, tensor in
      try tensor + #require(change[name])
    }
  }

  static func state(_ entries: (String, Tensor)...) throws -> ModelState {
    try ModelState(entries.map { (name: $0.0, tensor: $0.1) })
  }

  /// Fixed numbers that look like normal ones.
  static func normal(
    _ shape: [Int],
    dtype: DType = .float32,
    deviation: Double = 1,
    seed: UInt64 = 7
  ) throws -> Tensor {
    try Tensor.normal(shape, deviation: deviation, dtype: .float64, using: Generator(seed: seed))
      .to(dtype)
  }
}

extension Exchange {
  subscript(_ name: String) -> Tensor {
    get throws { try #require(tensors[name]) }
  }
}

/// Records an issue unless the body throws a ``FederationError`` of a code whose message has all these words.
func expectRefusal(
  _ code: FederationError.Code = .rejectedUpdate,
  naming words: String...,
  sourceLocation: SourceLocation = #_sourceLocation,
  _ body: () throws -> Void
) {
  let error = #expect(throws: FederationError.self, sourceLocation: sourceLocation) { try body() }
  guard let error else { return }
  #expect(error.code == code, sourceLocation: sourceLocation)
  for word in words {
    #expect(error.message.contains(word), "\(error.message)", sourceLocation: sourceLocation)
  }
}
