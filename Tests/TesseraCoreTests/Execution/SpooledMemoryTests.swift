import Foundation
import SystemPackage
import TesseraCore
import Testing

/// Models in temporary files have the bits of those in memory, and leave nothing behind.
@Suite struct SpooledMemoryTests {
  private let folder = FilePath(NSTemporaryDirectory())

  /// More than one slice, and no multiple of one.
  private func values(_ seed: Int, _ count: Int = 1_300_001) throws -> Tensor {
    try Tensor.uniform([count], in: -3..<3, using: Generator(key: RandomKey(seed: UInt64(seed))))
  }

  private func spooled(_ tensor: Tensor) throws -> Tensor {
    let memory = try SpooledMemory(bytes: tensor.count * tensor.dtype.byteCount, in: folder)
    try tensor.withBytes { try memory.write($0, at: 0) }
    return try memory.tensor(shape: tensor.shape, dtype: tensor.dtype)
  }

  @Test func whatWasWrittenIsReadAlsoAfterItsPagesWereGivenBack() throws {
    let tensor = try values(1)
    #expect(!tensor.liesInFile)
    tensor.giveBackPages()
    let other = try spooled(tensor)
    #expect(other.liesInFile)
    #expect(try other.isIdentical(to: tensor))
    other.giveBackPages()
    other.giveBackPages(of: 5..<100_000)
    #expect(try other.isIdentical(to: tensor))
    #expect(try other.largestMagnitude() == tensor.largestMagnitude())
    // A view is of the same file, and outlives the whole.
    let view = try other.slices(in: 1000..<1_200_000)
    view.giveBackPages()
    #expect(try view.isIdentical(to: tensor.slices(in: 1000..<1_200_000)))
  }

  @Test func memoryOfWhichTheFileHasNoCopyIsNeverGivenBack() throws {
    let path = folder.appending("tessera-\(UUID().uuidString).safetensors")
    defer { try? FileManager.default.removeItem(atPath: path.string) }
    let values = try values(4)
    try ModelState([(name: "weight", tensor: values)]).write(to: path)
    let mapped = try SafeTensors(contentsOf: path).tensor("weight")
    let descriptor = try FileDescriptor.open(path, .readOnly)
    let copied = try descriptor.closeAfter {
      try SafeTensors(copying: descriptor, named: path, atMost: 1 << 30).tensor("weight")
    }
    #expect(mapped.liesInFile && !copied.liesInFile)
    for tensor in [mapped, copied] {
      tensor.giveBackPages()
      #expect(try tensor.isIdentical(to: values))
    }
  }

  @Test func aSumOfFilesIntoAFileHasTheBitsOfOneInMemory() throws {
    func quotient(_ make: (Tensor) throws -> Tensor, spool: FilePath?) throws -> Tensor {
      var sum = ExactSum(shape: [1_300_001], bound: 1024, totalWeight: 10)
      for seed in 1...3 { try sum.add(try make(try values(seed)), weight: Double(seed)) }
      try sum.subtract(try make(try values(2)), weight: 2)
      return try sum.takeQuotient(
        dividingBy: 4,
        dtype: .float32,
        adding: try make(try values(9)),
        times: 0.5,
        spool: spool
      )
    }
    let plain = try quotient({ $0 }, spool: nil)
    let filed = try quotient(spooled, spool: folder)
    #expect(filed.liesInFile)
    #expect(try filed.isIdentical(to: plain))
  }

  @Test(arguments: [0, 700_000, 1_300_000])
  func anAddendInAFileThatIsRefusedLeavesNoTrace(place: Int) throws {
    var sum = ExactSum(shape: [1_300_001], bound: 1024, totalWeight: 10)
    try sum.add(try values(1), weight: 1)
    let before = try sum.quotient(dividingBy: 1, dtype: .float64)
    let bad = try concatenate([
      try values(2, place), Tensor([Float.nan]), try values(3, 1_300_000 - place),
    ])
    #expect(throws: TensorError.self) { try sum.add(try spooled(bad), weight: 1) }
    #expect(try sum.quotient(dividingBy: 1, dtype: .float64).isIdentical(to: before))
  }

  @Test func aFolderThatIsNotThereIsAnError() throws {
    let error = #expect(throws: TensorError.self) {
      try SpooledMemory(bytes: 1 << 20, in: "/no/such/folder")
    }
    #expect(error?.code == .fileSystem)
    #expect(error?.message.contains("/no/such/folder") == true)
    // A sum stays in memory then.
    var sum = ExactSum(shape: [1_300_001], bound: 1024, totalWeight: 10)
    try sum.add(try values(1), weight: 1)
    let plain = try sum.takeQuotient(dividingBy: 1, dtype: .float32, spool: "/no/such/folder")
    #expect(!plain.liesInFile)
  }
}
