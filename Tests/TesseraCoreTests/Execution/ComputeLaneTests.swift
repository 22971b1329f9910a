import Foundation
import Synchronization
import TesseraCore
import Testing

private actor Worker {
  private let lane: ComputeLane
  private(set) var threads: Set<pthread_t> = []
  private var order: [Int] = []

  init(threads: Int = 1) {
    lane = ComputeLane(threads: threads)
  }

  nonisolated var unownedExecutor: UnownedSerialExecutor { lane.asUnownedSerialExecutor() }

  func note(_ number: Int) -> [Int] {
    threads.insert(pthread_self())
    order.append(number)
    return order
  }

  func product(_ seed: UInt64) throws -> Tensor {
    let generator = try Generator(seed: seed)
    let a = try Tensor.normal([97, 203], using: generator)
    let b = try Tensor.normal([203, 151], using: generator)
    return try a.matmul(b).sum(along: 0)
  }

  func fails() throws { _ = try Tensor.zeros([2]) + Tensor.zeros([3]) }
}

@Suite struct ComputeLaneTests {
  @Test func anActorStaysOnItsLanesThread() async {
    let worker = Worker()
    for number in 0..<50 { _ = await worker.note(number) }
    #expect(await worker.threads.count == 1)
    let others = await withTaskGroup(of: Void.self) { group in
      for number in 0..<50 { group.addTask { _ = await worker.note(number) } }
      await group.waitForAll()
      return await worker.threads
    }
    #expect(others.count == 1)
  }

  @Test func workRunsInOrder() async {
    let worker = Worker()
    var last: [Int] = []
    for number in 0..<100 { last = await worker.note(number) }
    #expect(last == Array(0..<100))
  }

  @Test func lanesOfOneThreadGiveTheSameBits() async throws {
    let workers = (0..<3).map { _ in Worker() }
    let results = try await withThrowingTaskGroup(of: (Int, Tensor).self) { group in
      for index in 0..<12 {
        group.addTask { (index, try await workers[index % 3].product(UInt64(index / 3))) }
      }
      return try await group.reduce(into: [Int: Tensor]()) { $0[$1.0] = $1.1 }
    }
    for index in 0..<12 {
      let first = try #require(results[index / 3 * 3])
      #expect(try #require(results[index]).isIdentical(to: first))
    }
  }

  @Test func errorsReachTheCaller() async {
    let worker = Worker()
    await #expect(throws: TensorError.self) { try await worker.fails() }
    #expect(await worker.note(1) == [1])
  }

  @Test func aLaneEndsWithItsActor() async throws {
    func threadCount() throws -> Int {
      try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count
    }
    // LibTorch starts threads of its own at its first use.
    _ = try await Worker().product(1)
    let before = try threadCount()
    for _ in 0..<200 { _ = await Worker().note(0) }
    // Other tests run beside this one; 200 lanes that stayed would show.
    #expect(try threadCount() < before + 100)
  }

  @Test func aLaneHasAtLeastOneThread() {
    #expect(ComputeLane(threads: 0).threads == 1)
    #expect(ComputeLane(threads: 3).threads == 3)
    #expect(ComputeLane().threads == ProcessInfo.processInfo.activeProcessorCount)
  }
}
