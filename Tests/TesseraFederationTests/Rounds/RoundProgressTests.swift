import Foundation
import Synchronization
import TesseraCore
import TesseraFederation
import Testing

/// What the first half of a round came to, in a process that goes on with the second half.
@Suite(.timeLimit(.minutes(20))) struct RoundProgressTests {
  /// What outlives the process.
  private final class Disk: Sendable {
    private let data = Mutex<Data?>(nil)

    var store: RoundProgressStore {
      RoundProgressStore {
        self.data.withLock { $0 }
      } save: { data in
        self.data.withLock { $0 = data }
      }
    }
  }

  private static let executor = Doing { task, site in
    if site.site.index == 3 { throw Broken() }
    return .weights(try task.model.mapTensors { try $1 + 1 }, samples: site.site.exampleCount)
  }

  /// Two halves; between them the process may end.
  private static func run(
    _ disk: Disk,
    budget: PrivacyBudget? = nil,
    isKilled: Bool = false,
    half: @escaping @Sendable (Controller, WorkflowState) async throws -> Void
  ) async throws -> (state: WorkflowState, rounds: [RoundResult]) {
    let workflow = Script { state, controller in
      if try controller.kept(Int.self) == nil {
        try await half(controller, state)
        try controller.keep(1)
        if isKilled { throw Broken() }
      }
      try await half(controller, state)
    }
    var federation = Simulation(workflow: workflow).federation(executor)
    federation.progress = disk.store
    federation.budget = budget
    var rounds: [RoundResult] = []
    let start = WorkflowState(model: try model([0, 0]))
    let outcome = try await federation.run(from: start) { rounds.append($0) }
    return (outcome.state, rounds)
  }

  @Test func whatWasChargedInTheFirstHalfStaysCharged() async throws {
    @Sendable func aggregate(_ controller: Controller, _ state: WorkflowState) async throws {
      _ = try await controller.gather(
        .train,
        state.global,
        from: controller.sites,
        by: GaussianMean(clipNorm: 1, noiseMultiplier: 4)
      )
    }
    let budget = try PrivacyBudget(epsilon: 8, delta: 1e-5)
    let whole = try await Self.run(Disk(), budget: budget, half: aggregate)
    let disk = Disk()
    await #expect(throws: Broken.self) {
      try await Self.run(disk, budget: budget, isKilled: true, half: aggregate)
    }
    let resumed = try await Self.run(disk, budget: budget, half: aggregate)
    let ledger = try #require(try resumed.state.privacyLedger())
    #expect(ledger.entries.count == 2)
    #expect(try ledger == whole.state.privacyLedger())
    #expect(resumed.rounds.map(\.contributions) == whole.rounds.map(\.contributions))

    // What was charged to another budget, or to none, does not go on.
    for other in [try PrivacyBudget(epsilon: 9, delta: 1e-5), nil] {
      let error = await #expect(throws: FederationError.self) {
        try await Self.run(disk, budget: other, half: aggregate)
      }
      #expect(error?.code == .cannotResume)
      #expect(error?.message.contains("round 1") == true)
    }
  }

  @Test func whoAnsweredDispatchedTasksStaysInTheRecord() async throws {
    @Sendable func dispatch(_ controller: Controller, _ state: WorkflowState) async throws {
      let flights = controller.sites.map { site in
        Dispatch.Flight(number: site.index + 1, site: site)
      }
      try controller.dispatch([
        Dispatch(state.global, round: controller.round, flights: flights)
      ])
      while let task = try await controller.nextAnswer() {
        try controller.accept(task, weight: 1)
      }
    }
    let whole = try await Self.run(Disk(), half: dispatch)
    let disk = Disk()
    await #expect(throws: Broken.self) {
      try await Self.run(disk, isKilled: true, half: dispatch)
    }
    let resumed = try await Self.run(disk, half: dispatch)
    #expect(resumed.rounds.first?.contributions.count == 8)
    #expect(resumed.rounds.first?.refusals.count == 2)
    #expect(resumed.rounds.map(\.contributions) == whole.rounds.map(\.contributions))
    #expect(resumed.rounds.map(\.refusals) == whole.rounds.map(\.refusals))
    #expect(resumed.state.step == whole.state.step)
  }
}
