import Synchronization
import TesseraCore
public import TesseraFederation
public import TesseraTesting

extension ManualClock: FederationClock {}

/// Sites whose answers a test gives one by one.
final class ManualTransport: Transport {
  /// One asking of several sites.
  final class Call: Sendable {
    let tasks: [SiteTask]
    private let report: @Sendable (SiteEvent) -> Void
    fileprivate let open: AsyncStream<Void>
    private let opened: AsyncStream<Void>.Continuation
    fileprivate let endings: AsyncStream<Bool>
    fileprivate let ending: AsyncStream<Bool>.Continuation

    init(_ tasks: [SiteTask], _ report: @escaping @Sendable (SiteEvent) -> Void) {
      self.tasks = tasks
      self.report = report
      (open, opened) = AsyncStream.makeStream()
      (endings, ending) = AsyncStream.makeStream()
    }

    func answer(_ position: Int, _ exchange: Exchange? = nil) {
      let task = tasks[position]
      report(.answered(task.site, .success(exchange ?? .weights(task.model, samples: 1))))
    }

    func fail(_ position: Int, _ error: any Error) {
      report(.answered(tasks[position].site, .failure(error)))
    }

    func progress(_ position: Int) { report(.progressed(tasks[position].site)) }
    func hold(_ position: Int) { report(.waiting(tasks[position].site)) }

    /// Nothing more comes of it.
    func end() { opened.finish() }

    /// Whether it was told to stop, once it is over.
    var wasStopped: Bool {
      get async {
        for await stopped in endings { return stopped }
        return true
      }
    }
  }

  let sites: [Site]
  private let calls: AsyncStream<Call>
  private let called: AsyncStream<Call>.Continuation

  init(sites count: Int) {
    sites = (0..<count).map { Site(index: $0, name: "site-\($0 + 1)", exampleCount: 10 + $0) }
    (calls, called) = AsyncStream.makeStream()
  }

  func ask(_ tasks: [SiteTask], report: @escaping @Sendable (SiteEvent) -> Void) async {
    let call = Call(tasks, report)
    called.yield(call)
    for await _ in call.open {}
    call.ending.yield(Task.isCancelled)
    call.ending.finish()
  }

  /// The next asking.
  func call() async throws -> Call {
    for await call in calls { return call }
    throw CancellationError()
  }
}

/// A workflow of one round that does what a test says.
struct Script: Workflow {
  var rounds = 1
  var body: @Sendable (inout WorkflowState, Controller) async throws -> Void

  func run(_ state: inout WorkflowState, with controller: Controller) async throws {
    try await body(&state, controller)
  }
}

/// What was told, in order, from any thread.
final class Told<Element: Sendable>: Sendable {
  private let list = Mutex<[Element]>([])
  var all: [Element] { list.withLock { $0 } }
  func add(_ element: Element) { list.withLock { $0.append(element) } }
}

/// A model of one tensor.
func model(_ values: [Double]) throws -> ModelState {
  try ModelState([(name: "weight", tensor: Tensor(values))])
}
