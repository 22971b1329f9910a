import Foundation
import SystemPackage
import TesseraCore
import TesseraTesting
import Testing

@Suite struct AtomicFileTests {
  private struct Interruption: Error {}
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test func aFileIsReplacedAsAWhole() throws {
    let path = folder.path.appending("file.txt")
    try AtomicFile.write("first, and longer", to: path)
    try AtomicFile.write("second", to: path)
    #expect(try String(decoding: folder.bytes(of: path), as: UTF8.self) == "second")
    #expect(folder.names == ["file.txt"])
  }

  @Test func anErrorWhileWritingLeavesTheOldFileAndNothingElse() throws {
    let path = folder.path.appending("file.txt")
    try AtomicFile.write("first", to: path)
    #expect(throws: Interruption.self) {
      try AtomicFile.write(to: path) { writer in
        try writer.write("sec")
        throw Interruption()
      }
    }
    #expect(try String(decoding: folder.bytes(of: path), as: UTF8.self) == "first")
    #expect(folder.names == ["file.txt"])
  }

  @Test func whatTheSystemRefusesNamesTheFile() {
    for path in [folder.path.appending("missing/file"), folder.path] {
      let error = failure { try AtomicFile.write("text", to: path) }
      #expect(error?.code == .fileSystem)
      #expect(error?.message.contains(path.string) == true)
    }
    #expect(throwing(.fileSystem) { try AtomicFile.write("text", to: FilePath("/")) })
    #expect(throwing(.fileSystem) { try AtomicFile.write("text", to: FilePath("")) })
    #expect(folder.names == [])
  }

  @Test func aFullDiskIsAnError() {
    #expect(throwing(.fileSystem) { try AtomicFile.write("text", to: "/dev/full/x") })
  }
}

@Suite struct ModelStateTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test func namesAndTensorsKeepTheirOrder() throws {
    let state = try ModelState([("b", Tensor.zeros([2, 3])), ("a", Tensor([1, 2]))])
    #expect(state.names == ["b", "a"])
    #expect(state["a"]?.shape == [2])
    #expect(state["c"] == nil)
    #expect(state.parameterCount == 8)
    #expect(state.byteCount == 6 * 4 + 2 * 8)
    #expect(state.entries.map(\.name) == ["b", "a"])
    let more = try state.mapTensors { _, tensor in try tensor + 1 }
    #expect(try !more.isIdentical(to: state))
    #expect(try more.mapTensors { _, tensor in try tensor - 1 }.isIdentical(to: state))
    #expect(
      throwing(.invalidArgument) { _ = try ModelState([("a", Tensor(1)), ("a", Tensor(2))]) }
    )
  }

  @Test func aStateGoesThroughAFile() throws {
    let path = folder.path.appending("model.safetensors")
    // Files hold wide elements first; the model's order is another.
    let state = try ModelState([
      ("b/\"ü\"", Tensor.ones([2, 3])), ("a", Tensor([1.5] as [Float])), ("steps", Tensor(7)),
      ("mask", Tensor([true])), ("last", Tensor([2.5])),
    ])
    try state.write(to: path, metadata: ["note": "kept"])
    let read = try ModelState(contentsOf: path)
    #expect(read.names == state.names)
    #expect(try read.isIdentical(to: state))
    #expect(try SafeTensors(contentsOf: path).metadata["note"] == "kept")
  }

  @Test(arguments: [
    nil, "", "{}", #"["a"]"#, #"["a","a"]"#, #"["a","c"]"#, #"["a","b","c"]"#,
  ])
  func anOrderThatIsNotTheFilesIsIgnored(_ order: String?) throws {
    let path = folder.path.appending("model.safetensors")
    try SafeTensors.write(
      [("b", Tensor([1.0])), ("a", Tensor([2.0]))],
      metadata: order.map { ["tessera.order": $0] } ?? [:],
      to: path
    )
    #expect(try ModelState(contentsOf: path).names == ["b", "a"])
  }
}
