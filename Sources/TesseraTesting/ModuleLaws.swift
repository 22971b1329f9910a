internal import TesseraCore
public import TesseraNN
public import Testing

/// Records an issue for every law of ``Module`` that a module breaks.
///
/// Its paths differ; its state can be written and read back; and a state that lacks a tensor, has one too many or has one of
/// another shape is refused without changing anything.
///
/// - Parameters:
///   - module: Has at least one parameter or buffer.
///   - sourceLocation: Where issues are recorded.
public func expectModuleLaws(
  _ module: any Module,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  do {
    let names = module.namedParameters.map(\.name) + module.namedBuffers.map(\.name)
    #expect(!names.isEmpty, sourceLocation: sourceLocation)
    #expect(Set(names).count == names.count, "paths repeat", sourceLocation: sourceLocation)

    let original = try module.state()
    #expect(Set(original.names) == Set(names), sourceLocation: sourceLocation)
    let other = try original.mapTensors { _, tensor in try tensor + 1 }
    try module.load(other)
    #expect(
      try module.state().isIdentical(to: other),
      "a loaded state reads back otherwise",
      sourceLocation: sourceLocation
    )

    let entries = original.entries
    let odd = try Tensor.zeros([7, 1, 3, 1, 1, 2])
    let refused: [(String, ModelState)] = [
      ("a missing tensor", try ModelState(Array(entries.dropLast()))),
      ("an extra tensor", try ModelState(entries + [(name: "no.such.slot", tensor: odd)])),
      (
        "a wrong shape",
        try ModelState(entries.dropLast() + entries.suffix(1).map { ($0.name, odd) })
      ),
    ]
    for (what, state) in refused {
      #expect(throws: TensorError.self, "\(what) is accepted", sourceLocation: sourceLocation) {
        try module.load(state)
      }
      #expect(
        try module.state().isIdentical(to: other),
        "\(what) changed the module",
        sourceLocation: sourceLocation
      )
    }
    try module.load(original)
    #expect(try module.state().isIdentical(to: original), sourceLocation: sourceLocation)
  } catch {
    Issue.record(error, sourceLocation: sourceLocation)
  }
}
