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

  private static func counted(_ count: Float) throws -> [String: ModelState] {
    ["count": try ModelState([(name: "count", tensor: Tensor([count]))])]
  }

  private static func files(in folder: FilePath) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.string).sorted()
  }

  /// What holds of memories wherever they lie: a run in one process comes to what a deployment comes to.
  @Test(arguments: [false, true]) func bothStoresGoBackToTheSame(isInFiles: Bool) throws {
    let folder = try TemporaryFolder()
    let memories: any SiteMemoryStore =
      try isInFiles ? FolderSiteMemories(in: folder.path) : VolatileSiteMemories()
    let site = Site(index: 0, name: "north", exampleCount: 1)
    let other = Site(index: 1, name: "south", exampleCount: 1)
    func count(_ contents: [String: ModelState]) throws -> Double? {
      guard let tensor = contents["count"]?["count"] else { return nil }
      return try tensor.item()
    }
    #expect(try memories.contents(of: site, before: 1).isEmpty)
    #expect(try memories.contents(of: site, forgettingFrom: 1).isEmpty)
    for step in [3, 7] {
      let before: Double? = step == 3 ? nil : 3
      #expect(try count(memories.contents(of: site, before: step)) == before)
      try memories.keep(Self.counted(Float(step)), of: site, after: step)
      #expect(try memories.contents(of: other, before: .max).isEmpty)
    }
    // One is under way; an evaluation comes beside it, and leaves nothing.
    #expect(try count(memories.contents(of: site, before: 10)) == 7)
    #expect(try count(memories.contents(of: site, before: 12)) == 7)
    try memories.keep(Self.counted(10), of: site, after: 10)
    #expect(try count(memories.contents(of: site, before: 13)) == 10)
    // The first comes to nothing.
    #expect(try count(memories.contents(of: site, forgettingFrom: 10)) == 7)
    try memories.keep(Self.counted(14), of: site, after: 14)
    #expect(try count(memories.contents(of: site, forgettingFrom: 10)) == 7)
    // Asked for again under the same number.
    try memories.keep(Self.counted(15), of: site, after: 15)
    #expect(try count(memories.contents(of: site, before: 15)) == 7)
    try memories.keep(Self.counted(16), of: site, after: 15)
    #expect(try count(memories.contents(of: site, before: 17)) == 16)
  }

  @Test func whatCameToNothingIsForgotten() throws {
    let folder = try TemporaryFolder()
    let site = Site(index: 0, name: "north", exampleCount: 1)
    let memories = try FolderSiteMemories(in: folder.path)
    for step in 1...3 { try memories.keep(Self.counted(Float(step)), of: site, after: step) }
    let before = try memories.contents(of: site, forgettingFrom: 2)
    #expect(try before["count"]?["count"]?.item() == 1)
    #expect(try Self.files(in: folder.path) == ["0-1.safetensors"])
    #expect(try memories.contents(of: site, forgettingFrom: 1).isEmpty)
  }

  /// A task that is under way may still be used, or be asked for again.
  @Test func whatIsNotUsedYetStaysWithWhatWasBefore() throws {
    let folder = try TemporaryFolder()
    let memories = try FolderSiteMemories(in: folder.path)
    for index in 0..<2 {
      let site = Site(index: index, name: "site-\(index + 1)", exampleCount: 1)
      for step in [1, 2, 4, 6] { try memories.keep(Self.counted(1), of: site, after: step) }
    }
    memories.settle(at: 5, unused: [1: 4])
    #expect(
      try Self.files(in: folder.path) == ["0-4.safetensors", "1-2.safetensors", "1-4.safetensors"]
    )
  }

  @Test func whatNoTaskCanAskForIsDiscarded() throws {
    let folder = try TemporaryFolder()
    let site = Site(index: 0, name: "north", exampleCount: 1)
    let memories = try FolderSiteMemories(in: folder.path)
    for step in [1, 2, 4, 6, 8] { try memories.keep(Self.counted(1), of: site, after: step) }
    memories.discard(before: 4, from: 7)
    #expect(
      try Self.files(in: folder.path) == ["0-2.safetensors", "0-4.safetensors", "0-6.safetensors"]
    )
  }
}
