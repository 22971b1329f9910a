import Foundation
import SystemPackage
import TesseraCore
import TesseraRetrieval
import TesseraTesting
import Testing

/// Several processes that train one model.
@Suite(.serialized, .timeLimit(.minutes(20))) struct ReplicaTests {
  /// Settings under which nothing depends on which texts are encoded together; pictures in parts of a process's share, by which batches are
  /// normalised.
  static func training(_ replicas: ReplicaGroup?) throws -> RetrievalTraining {
    try RetrievalTrainingTests.training(dropout: 0, replicas: replicas) {
      $0.optimizer = .adamW
      $0.gradientNorm = nil
      $0.warmup = 0
      $0.chunk = replicas == nil ? 4 : nil
    }
  }

  /// A port that is free now.
  private static func port() throws -> Int {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let bound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, size) == 0 && getsockname(descriptor, $0, &size) == 0
      }
    }
    try #require(bound)
    return Int(UInt16(bigEndian: address.sin_port))
  }

  /// AdamW's first mean is a tenth of the gradient.
  @Test func twoProcessesHaveTheLossAndTheGradientsOfOne() async throws {
    let folder = try TemporaryFolder()
    let (port, path) = (try Self.port(), folder.path.string)
    async let first = #expect(processExitsWith: .success) {
      [port = port as Int, path = path as String] in
      try ReplicaTests.trainOneStep(rank: 0, port: port, path: path)
    }
    async let second = #expect(processExitsWith: .success) {
      [port = port as Int, path = path as String] in
      try ReplicaTests.trainOneStep(rank: 1, port: port, path: path)
    }
    _ = await (first, second)
    let alone = try Self.training(nil)
    let step = try alone.step()
    let expected = try alone.state()
    let states = try (0..<2).map {
      try ModelState(contentsOf: folder.path.appending("\($0).safetensors"))
    }
    #expect(try states[0].isIdentical(to: states[1]))
    for name in expected.names where name.hasPrefix("optimizer.") {
      expectClose(
        try #require(states[0][name]),
        try #require(expected[name]),
        absolute: 1e-6,
        relative: 1e-5,
        "\(name)"
      )
    }
    let losses = try String(contentsOfFile: folder.path.appending("0.loss").string, encoding: .utf8)
    #expect(abs(try #require(Double(losses)) - step.loss) < 1e-5)
  }

  @Test func aBatchThatCannotBeDividedIsRefused() async throws {
    await #expect(processExitsWith: .success) { [port = try Self.port() as Int] in
      let group = try ReplicaGroup(rank: 0, of: 1, port: UInt16(port), patience: 20)
      #expect(try group.sum(Tensor([1.0, 2.0])).array(of: Double.self) == [1, 2])
      _ = try RetrievalTrainingTests.training(replicas: group) { $0.pictures = 7 }
    }
    #expect(throws: TensorError.self) { try ReplicaGroup(rank: 2, of: 2, port: 1) }
  }

  static func trainOneStep(rank: Int, port: Int, path: String) throws {
    let group = try ReplicaGroup(rank: rank, of: 2, port: UInt16(port), patience: 120)
    let training = try Self.training(group)
    let step = try training.step()
    try training.state().write(to: FilePath(path).appending("\(rank).safetensors"))
    try "\(step.loss)".write(
      toFile: FilePath(path).appending("\(rank).loss").string,
      atomically: true,
      encoding: .utf8
    )
  }
}
