import Testing

@testable import TesseraDeployment

/// Which job has which GPU, and for how long.
@Suite(.timeLimit(.minutes(20))) struct GPUPoolTests {
  @Test func aShareIsGivenBackOnceWithTheLastWhoHoldsIt() throws {
    let pool = GPUPool([0, 1, 2])
    var first: GPUPool.Share? = try pool.take(2, for: "a")
    var again: GPUPool.Share? = try pool.take(2, for: "a")
    #expect(first?.devices == [0, 1] && again?.devices == [0, 1])
    let other = try pool.take(1, for: "b")
    #expect(other.devices == [2])
    first = nil
    #expect(throws: DeploymentError.self) { try pool.take(1, for: "c") }
    again = nil
    // Once more would give back what is another job's by then.
    let third = try pool.take(2, for: "c")
    #expect(third.devices == [0, 1])
    #expect(throws: DeploymentError.self) { try pool.take(1, for: "d") }
    #expect(try pool.take(0, for: "d").devices == [])
    withExtendedLifetime((other, third, first, again)) {}
  }

  @Test func aJobWaitsForThoseThatAreJustEnding() async throws {
    let pool = GPUPool([4])
    var old: GPUPool.Share? = try pool.take(1, for: "old")
    #expect(throws: DeploymentError.self) { try pool.take(1, for: "new") }
    pool.ends("old")
    let busy = try #require(throws: GPUPool.Busy.self) { try pool.take(1, for: "new") }
    // Not even so are there enough.
    #expect(throws: DeploymentError.self) { try pool.take(2, for: "new") }
    let waiting = Task {
      await pool.waitForReturn(since: busy)
      return try pool.take(1, for: "new").devices
    }
    await Task.yield()
    withExtendedLifetime(old) {}
    old = nil
    #expect(try await waiting.value == [4])
    // What was given back before one waits is not waited for.
    await pool.waitForReturn(since: busy)
  }

  @Test func whoWaitsForSoLongIsToldWhetherSomeWereGivenBack() async throws {
    let pool = GPUPool([0])
    var old: GPUPool.Share? = try pool.take(1, for: "old")
    pool.ends("old")
    let busy = try #require(throws: GPUPool.Busy.self) { try pool.take(1, for: "new") }
    #expect(await !pool.waitForReturn(since: busy, atMost: .milliseconds(1)))
    withExtendedLifetime(old) {}
    old = nil
    #expect(await pool.waitForReturn(since: busy, atMost: .seconds(600)))
  }

  @Test func whoIsCancelledWaitsNoLonger() async throws {
    let pool = GPUPool([0])
    let old = try pool.take(1, for: "old")
    pool.ends("old")
    let busy = try #require(throws: GPUPool.Busy.self) { try pool.take(1, for: "new") }
    let waiting = Task { await pool.waitForReturn(since: busy) }
    waiting.cancel()
    await waiting.value
    withExtendedLifetime(old) {}
  }
}
