import Synchronization
import TesseraCore
import TesseraFederation
import Testing

@Suite("What is measured on the way")
struct TaskMeasurementsTests {
  /// Measures before it answers.
  private struct Measuring: Executor {
    func execute(_ task: SiteTask, at site: SiteContext) async throws -> Exchange {
      site.progress(measured: ["loss": 0.5, "accuracy": 0.75], step: 3)
      site.progress(measured: ["loss": .nan])
      return .weights(task.model, samples: 1)
    }
  }

  /// What leaves a site.
  private func told(_ worker: SiteWorker) async throws -> [TaskMeasurements] {
    let told = Mutex<[TaskMeasurements]>([])
    let model = try ModelState([(name: "w", tensor: Tensor.zeros([2]))])
    let site = Site(index: 0, name: "north", exampleCount: 1)
    _ = try? await worker.answer(
      SiteTask(site: site, data: .weights(model), key: RandomKey(seed: 1))
    ) {
    } measured: { all in
      told.withLock { $0.append(all) }
    }
    return told.withLock { $0 }
  }

  @Test("those who watch are told, but of no number that is none")
  func told() async throws {
    let all = TaskMeasurements(["loss": 0.5, "accuracy": 0.75], step: 3)
    #expect(try await told(SiteWorker(executor: Measuring())) == [all])
  }

  @Test("what a filter of the site leaves out of answers does not leave either")
  func filtered() async throws {
    let some = SiteFilters(results: [try ExcludeMetrics(["acc*"])])
    #expect(
      try await told(SiteWorker(executor: Measuring(), filters: some))
        == [TaskMeasurements(["loss": 0.5], step: 3)]
    )
    let all = SiteFilters(results: [try ExcludeMetrics()])
    #expect(try await told(SiteWorker(executor: Measuring(), filters: all)) == [])
  }

  @Test("a site that counts its privacy tells nothing")
  func budget() async throws {
    let worker = try SiteWorker(
      executor: Measuring(),
      budget: PrivacyBudget(epsilon: 8, delta: 1e-6)
    )
    #expect(try await told(worker) == [])
  }

  @Test(
    "what is too much or cannot be shown is left out, and later numbers take the place of earlier ones"
  )
  func limits() {
    let many = Dictionary((0..<100).map { ("m\($0)", Double($0)) }) { $1 }
    #expect(TaskMeasurements(many).metrics.count == TaskMeasurements.largestCount)
    let odd = ["": 1, "a\nb": 1, String(repeating: "x", count: 101): 1, "a": .infinity, "b": 2]
    #expect(TaskMeasurements(odd, step: -4) == TaskMeasurements(["b": 2], step: 0))
    let first = TaskMeasurements(["loss": 1, "accuracy": 0.5], step: 1)
    let updated = first.updated(by: TaskMeasurements(["loss": 0.9], step: 2))
    #expect(updated == TaskMeasurements(["loss": 0.9, "accuracy": 0.5], step: 2))
  }
}
