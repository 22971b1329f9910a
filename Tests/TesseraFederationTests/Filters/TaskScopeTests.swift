import Foundation
import Synchronization
import TesseraCore
import TesseraFederation
import TesseraRun
import TesseraTesting
import Testing

/// Notes which tasks it sees, on which side, in which direction.
private struct Witness: Filter {
  final class Notes: Sendable {
    let seen = Mutex<Set<String>>([])
  }
  let notes = Notes()

  func apply(to exchange: Exchange, in context: FilterContext) throws -> Exchange {
    notes.seen.withLock {
      _ = $0.insert("\(context.side) \(context.direction) \(context.task)")
    }
    return exchange
  }
}

@Suite struct TaskScopeTests {
  private func answer(
    to task: TaskName,
    data: Exchange? = nil,
    filters: [any Filter],
    with answer: Exchange
  ) async throws -> Exchange {
    let worker = SiteWorker(
      executor: Doing { _, _ in answer },
      filters: SiteFilters(results: filters)
    )
    return try await worker.answer(
      SiteTask(
        name: task,
        site: Sample.site,
        data: data ?? .weights(Sample.reference()),
        key: RandomKey(seed: 1)
      )
    )
  }

  @Test func aScopeHoldsBothWaysAndAtBothSides() async throws {
    let (all, training) = (Witness(), Witness())
    let filters: [any Filter] = [all, training.limited(to: .training)]
    let worker = SiteWorker(
      executor: Doing { task, site in
        task.name == .evaluate
          ? .metrics(["loss": 1]) : .weights(task.model, samples: site.site.exampleCount)
      },
      filters: SiteFilters(tasks: filters, results: filters)
    )
    let workflow = try WorkflowChain([FedAvg(rounds: 1), GlobalModelEvaluation()])
    var federation = Federation(
      workflow: workflow,
      transport: InProcessTransport(
        sites: [Sample.site].map { Site(index: 0, name: $0.name, exampleCount: 10) },
        worker: worker,
        pool: LanePool(lanes: 1)
      ),
      key: RandomKey(seed: 1)
    )
    federation.filters = ServerFilters(tasks: filters, results: filters)
    _ = try await federation.run(from: WorkflowState(model: Sample.reference()))
    func places(_ task: String) -> Set<String> {
      Set(["server", "site"].flatMap { ["\($0) task \(task)", "\($0) result \(task)"] })
    }
    #expect(training.notes.seen.withLock { $0 } == places("train"))
    #expect(all.notes.seen.withLock { $0 } == places("train").union(places("evaluate")))
  }

  /// What each filter does to an answer to each task: changes it, or lets it pass.
  @Test(arguments: [
    "train", "submit model", "initialize", "aggregate", "calibrate",
  ])
  func filtersAreForTheTasksThatTheyMakeSenseFor(task: String) async throws {
    let trained = try Exchange.weights(Sample.weights(), samples: 10)
    func isChanged(_ filter: any Filter) async throws -> Bool {
      let answer = try await answer(to: TaskName(task), filters: [filter], with: trained)
      return try answer.kind != .weights || !answer.tensors.isIdentical(to: trained.tensors)
    }
    let own = ["train", "submit model", "calibrate"].contains(task)
    for filter: any Filter in [
      try ClipNorm(norm: 1e-3), try GaussianNoise(standardDeviation: 1),
      try LaplaceNoise(scale: 1), try PercentilePrivacy(), try SVTPrivacy(),
    ] {
      #expect(try await isChanged(filter) == own, "\(filter)")
    }
    for filter: any Filter in [
      try TopK(fraction: 0.1), try Quantize(.float16), try ConvertWeights(),
    ] {
      #expect(try await isChanged(filter) == (task == "train"), "\(filter)")
    }
    #expect(try await isChanged(ExcludeTensors(["a"])) == (task != "initialize"))
    // Whoever configures it decides.
    let everywhere = try ClipNorm(norm: 1e-3).limited(to: .all)
    #expect(try await isChanged(everywhere))
    #expect(try await isChanged(everywhere.limited(to: .only([.evaluate]))) == false)
  }

  @Test func statisticsAndMeasurementsPassFiltersOfModels() async throws {
    let filters: [any Filter] = [
      try ClipNorm(norm: 1e-3), try GaussianNoise(standardDeviation: 1), try TopK(fraction: 0.1),
      try Quantize(.int8),
    ]
    let statistics = Exchange(
      .statistics,
      parts: ["all": Exchange(.statistics, tensors: try Sample.change(), metrics: ["count": 9])]
    )
    let shown = try await answer(to: .statistics, filters: filters, with: statistics)
    #expect(try shown.parts["all"]?.tensors.isIdentical(to: Sample.change()) == true)
    let measured = try await answer(to: .evaluate, filters: filters, with: .metrics(["loss": 2]))
    #expect(measured.metrics == ["loss": 2])
  }

  @Test func aFilterSaysByItsNameWhatItCannotHandle() async throws {
    func complaint(
      _ task: TaskName,
      _ data: Exchange?,
      _ filter: any Filter,
      _ answer: Exchange
    )
      async throws -> String
    {
      let error = await #expect(throws: FederationError.self) {
        try await self.answer(to: task, data: data, filters: [filter], with: answer)
      }
      return error?.message ?? ""
    }
    let loose = Exchange(.custom("embeddings"), tensors: try Sample.change())
    let noise = try GaussianNoise(standardDeviation: 1)
    for answer in [loose, .collection(["x": loose])] {
      let message = try await complaint(.train, nil, noise, answer)
      #expect(message.hasPrefix("site-4: filter 'gaussian-noise': it is for models"), "\(message)")
    }
    var hidden = Exchange.weights(try Sample.weights())
    hidden.parts = ["x": loose]
    #expect(try await complaint(.train, nil, noise, hidden).contains("'gaussian-noise'"))

    let request = Exchange(.custom("request"))
    let model = try Exchange.weights(Sample.weights())
    let message = try await complaint(.submitModel, request, ClipNorm(norm: 1), model)
    #expect(message.hasPrefix("site-4: filter 'clip-norm': "), "\(message)")
  }

  @Test func measurementsStayWhereAFilterKeepsThem() async throws {
    var trained = Exchange.collection(
      ["model": try .weights(Sample.weights(), samples: 9, metrics: ["loss": 1, "norm": 2])],
      metrics: ["loss": 3, "norm": 4]
    )
    trained.metadata.samples = 9
    let some = try await answer(to: .train, filters: [ExcludeMetrics(["lo*"])], with: trained)
    #expect(some.metrics == ["norm": 4] && some.parts["model"]?.metrics == ["norm": 2])
    let none = try await answer(to: .train, filters: [ExcludeMetrics()], with: trained)
    #expect(none.metrics.isEmpty && none.parts["model"]?.metrics.isEmpty == true)
    #expect(none.metadata.samples == 9)
  }

  @Test func answersThatAreNotOKLeaveWithoutTheirContent() async throws {
    let filters: [any Filter] = [try GaussianNoise(standardDeviation: 1)]
    for code in ReturnCode.allCases where code != .ok {
      var refusal = Exchange.collection(
        ["model": try .weights(Sample.weights(), metrics: ["loss": 1])],
        metrics: ["loss": 1]
      )
      refusal.tensors = try Sample.weights()
      refusal.metadata.algorithm = "secret"
      refusal.metadata.excluded = ["secret"]
      refusal.headers = ["reason": String(repeating: "r", count: 5000), "values": "1 2 3"]
      refusal.returnCode = code
      let answer = try await answer(to: .train, filters: filters, with: refusal)
      #expect(answer.returnCode == code)
      #expect(answer.byteCount == 0 && answer.parts.isEmpty && answer.metrics.isEmpty)
      #expect(answer.headers == ["reason": String(repeating: "r", count: 1000)])
      #expect(answer.metadata.algorithm == nil && answer.metadata.excluded.isEmpty)
      #expect(answer.metadata.contributor == "site-4")
    }
  }

  @Test func errorsOfExecutorsTellNoDataToOthers() async throws {
    struct Leak: Error { var patient = "Ms Miller" }
    let log = Mutex<[String]>([])
    let worker = SiteWorker(
      executor: Doing { _, _ in throw Leak() },
      failed: { task, error in log.withLock { $0.append("\(task.name): \(error)") } }
    )
    let task = SiteTask(
      site: Sample.site,
      data: .weights(try Sample.reference()),
      key: RandomKey(seed: 1)
    )
    let error = await #expect(throws: FederationError.self) { try await worker.answer(task) }
    #expect(error?.message == "site-4: its work failed with an error of the type 'Leak'")
    #expect(log.withLock { $0.count == 1 && $0[0].contains("Miller") })
  }
}
