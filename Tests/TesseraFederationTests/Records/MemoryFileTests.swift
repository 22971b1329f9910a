import Foundation
import SystemPackage
import TesseraCore
import TesseraFederation
import TesseraTesting
import Testing

@Suite struct MemoryFileTests {
  /// Names that are like one another, and like paths.
  static let names = [
    "a", "a/b", "a/b/c", "a%2Fb", "a%b", "%", "../../escaped", "/tmp/escaped", "top-k/train", "ä ö",
  ]

  private static func contents() throws -> [String: ModelState] {
    var contents: [String: ModelState] = [:]
    for (number, name) in names.enumerated() {
      contents[name] = try ModelState([
        (name: "b/c", tensor: Tensor(Double(number))), (name: "c", tensor: Tensor([number])),
      ])
    }
    return contents
  }

  private static func expect(_ read: [String: ModelState]) throws {
    let expected = try contents()
    #expect(Set(read.keys) == Set(expected.keys))
    for (name, state) in expected {
      #expect(try read[name]?.isIdentical(to: state) == true, "\(name)")
    }
  }

  @Test func memoriesOfSitesComeBackWhateverTheyAreCalled() throws {
    let folder = try TemporaryFolder()
    let site = Site(index: 2, name: "../north", exampleCount: 1)
    let path = folder.path.appending("sites")
    try FolderSiteMemories(in: path).keep(Self.contents(), of: site, after: 7)
    // Names of sites and memories decide of no file's name.
    #expect(
      try FileManager.default.subpathsOfDirectory(atPath: folder.path.string).sorted()
        == ["sites", "sites/2-7.safetensors"]
    )
    let reopened = try FolderSiteMemories(in: path)
    try Self.expect(reopened.contents(of: site, before: 8))
    #expect(try reopened.contents(of: site, before: 7).isEmpty)
  }

  @Test func memoriesOfWorkflowsComeBackWhateverTheyAreCalled() throws {
    let folder = try TemporaryFolder()
    var state = WorkflowState(model: try ModelState([(name: "w/1", tensor: Tensor([1.0]))]))
    state.memory = try Self.contents()
    let file = folder.path.appending("state.safetensors")
    try state.write(to: file)
    let read = try WorkflowState(contentsOf: file)
    #expect(try read.model.isIdentical(to: state.model))
    try Self.expect(read.memory)
  }

  @Test func aFileThatIsNoMemoryIsRefused() throws {
    let folder = try TemporaryFolder()
    try ModelState([(name: "loose", tensor: Tensor([1.0]))])
      .write(to: folder.path.appending("0-1.safetensors"))
    let site = Site(index: 0, name: "north", exampleCount: 1)
    let memories = try FolderSiteMemories(in: folder.path)
    expectRefusal(.cannotResume, naming: "loose") {
      _ = try memories.contents(of: site, before: 2)
    }
  }
}
