import TesseraCore
import TesseraFederation
import TesseraTesting
import Testing

@testable import TesseraDeployment

/// What a site keeps of its memory while a server may be killed at any moment.
@Suite struct TaskHistoryTests {
  private let folder: TemporaryFolder
  private let memories: FolderSiteMemories
  private let site = Site(index: 0, name: "north", exampleCount: 1)

  init() throws {
    folder = try TemporaryFolder()
    memories = try FolderSiteMemories(in: folder.path)
  }

  private func task(
    _ step: Int,
    _ name: TaskName,
    round: Int,
    unusedSince first: Int? = nil
  ) -> SiteTask {
    var task = SiteTask(
      step: step,
      name: name,
      round: round,
      site: site,
      data: Exchange(.custom("x")),
      key: RandomKey(seed: 1)
    )
    task.unusedSince = first
    return task
  }

  private func keep(after step: Int) throws {
    let kept: [Float] = [Float(step)]
    let count = try ModelState([(name: "count", tensor: Tensor(kept))])
    try memories.keep(["count": count], of: site, after: step)
  }

  /// The step after which the site kept what a task begins from.
  private func found(_ kept: [String: ModelState]) throws -> Double? {
    guard let count = kept["count"]?["count"] else { return nil }
    return try count.item()
  }

  /// FedBuff measures all sites after a round, those with a task under way, too.
  @Test func whatCameBeforeATaskUnderWayOutlivesAnEvaluation() throws {
    var history = TaskHistory()
    history.settle(before: task(7, .train, round: 1), in: memories)
    try keep(after: 7)
    history.settle(before: task(10, .train, round: 2), in: memories)
    history.settle(before: task(12, .evaluate, round: 2), in: memories)
    try keep(after: 10)
    history.settle(before: task(14, .train, round: 3), in: memories)
    // The server was killed before the answer to 10 was in a round that it has saved.
    let again = task(13, .train, round: 2, unusedSince: 10)
    history.settle(before: again, in: memories)
    #expect(try found(memories.contents(of: site, forgettingFrom: 10)) == 7)
  }

  /// The server was killed before it saved the round that the answer of a task from an earlier one is used in.
  @Test func whatCameBeforeATaskOfAnEarlierRoundOutlivesThoseOfTheNext() throws {
    var history = TaskHistory()
    history.settle(before: task(5, .evaluate, round: 1), in: memories)
    history.settle(before: task(6, .train, round: 2), in: memories)
    try keep(after: 6)
    history.settle(before: task(7, .train, round: 2), in: memories)
    history.settle(before: task(8, .evaluate, round: 2), in: memories)
    try keep(after: 7)
    history.settle(before: task(9, .train, round: 3), in: memories)
    try keep(after: 9)
    history.settle(before: task(11, .evaluate, round: 3), in: memories)
    history.settle(before: task(10, .train, round: 3, unusedSince: 7), in: memories)
    #expect(try found(memories.contents(of: site, forgettingFrom: 7)) == 6)
  }

  /// Its phases leave nothing, but for the one that is answered with a vector.
  @Test func whatCameBeforeASumOutlivesThePhasesOfTheNext() throws {
    var history = TaskHistory()
    for (round, first) in [(1, 1), (2, 5), (3, 9)] {
      for phase in 0..<4 {
        history.settle(before: task(first + phase, .secureAggregation, round: round), in: memories)
        if phase == 2 { try keep(after: first + phase) }
      }
    }
    #expect(folder.names == ["0-3.safetensors", "0-7.safetensors", "0-11.safetensors"].sorted())
  }

  /// A workflow that comes second may count its rounds from 1 again.
  @Test func aChainOfWorkflowsLeavesNoMoreThanOneDoes() throws {
    var history = TaskHistory()
    var step = 0
    for round in Array(1...20) + Array(1...20) {
      step += 1
      history.settle(before: task(step, .train, round: round), in: memories)
      try keep(after: step)
      #expect(folder.names.count <= 3, "round \(round)")
    }
  }
}
