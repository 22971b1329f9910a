import Foundation
import TesseraFederation
import Testing

@Suite struct LanePoolTests {
  struct Failure: Error, Equatable { var part: Int }

  @Test(arguments: [1, 2, 5]) func resultsComeInTheOrderOfTheParts(lanes: Int) async throws {
    let squares = try await LanePool(lanes: lanes).map(Array(0..<100)) { $0 * $0 }
    #expect(squares == (0..<100).map { $0 * $0 })
  }

  @Test func theFirstFailureIsThrownWhateverFailsFirst() async throws {
    await #expect(throws: Failure(part: 3)) {
      try await LanePool(lanes: 3).map(Array(0..<50)) { part in
        if part % 10 == 3 { throw Failure(part: part) }
        return part
      }
    }
  }

  @Test func noPartsGiveNoResults() async throws {
    #expect(try await LanePool(lanes: 2).map([Int]()) { $0 }.isEmpty)
  }

  /// As every function does that a module without `NonisolatedNonsendingByDefault` declares.
  @concurrent private static func threadName() async throws -> String {
    await Task.yield()
    return try String(contentsOfFile: "/proc/thread-self/comm", encoding: .utf8)
  }

  @Test func functionsThatLeaveTheCallersActorStayOnTheLane() async throws {
    let names = try await LanePool(lanes: 2).map(Array(0..<50)) { _ in try await Self.threadName() }
    #expect(Set(names).isSubset(of: ["tessera.lane.0\n", "tessera.lane.1\n"]))
  }

  @Test func aCancelledPoolTakesNoFurtherParts() async throws {
    let cancelled = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      return try await LanePool(lanes: 2).map([1, 2, 3]) { $0 }
    }
    await #expect(throws: CancellationError.self) { try await cancelled.value }
  }
}
