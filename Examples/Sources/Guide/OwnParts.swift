import Tessera
import TesseraFederation

/// Each round all sites train, and the mean of what they answer is the next model.
struct Averaging: Workflow {
  let rounds: Int

  func run(_ state: inout WorkflowState, with controller: Controller) async throws {
    let rule = LargestUpdates(keeping: 2)
    state.global =
      try await controller.gather(.train, state.global, from: controller.sites, by: rule).exchange
  }
}

/// A site's part: one step towards the mean of what it has.
struct StepTowardsMean: Executor {
  let values: [[Double]]

  func execute(_ task: SiteTask, at site: SiteContext) async throws -> Exchange {
    let own = try Tensor(values[site.site.index]).mean()
    let model = try task.model.mapTensors { try $1 + 0.5 * (own - $1) }
    return .weights(model, samples: values[site.site.index].count)
  }
}

/// The mean of the updates with the largest weights.
struct LargestUpdates: CollectiveRule {
  let keeping: Int

  func plan(for updates: CollectedUpdates) throws -> [Int] {
    let order = updates.weights.indices.sorted { updates.weights[$0] > updates.weights[$1] }
    return Array(order.prefix(keeping))
  }

  func combine(_ chunk: UpdateChunk, _ plan: [Int]) throws -> Tensor {
    try (chunk.rows(of: plan) ?? chunk.values).mean(along: 0)
  }
}

/// Leaves nothing of what is almost zero.
struct DroppingSmall: Filter {
  let limit: Double

  func apply(to exchange: Exchange, in context: FilterContext) throws -> Exchange {
    try exchange.mapModels { model in
      var model = model
      model.tensors = try model.tensors.mapTensors { _, tensor in
        try tensor * Tensor(limit).isLess(than: abs(tensor)).to(tensor.dtype)
      }
      return model
    }
  }
}

func ownParts() async throws {
  let values = [[1.0, 2, 3], [10], [4, 6]]
  let sites = values.enumerated().map { index, own in
    Site(index: index, name: "site-\(index + 1)", exampleCount: own.count)
  }
  let initial = try ModelState([(name: "mean", tensor: Tensor([0.0]))])
  let worker = SiteWorker(
    executor: StepTowardsMean(values: values),
    filters: SiteFilters(results: [DroppingSmall(limit: 1e-3)])
  )
  let federation = Federation(
    workflow: Averaging(rounds: 3),
    transport: InProcessTransport(sites: sites, worker: worker, pool: LanePool(lanes: 2)),
    key: RandomKey(seed: 1)
  )
  let (state, _) = try await federation.run(from: WorkflowState(model: initial))
  // Sites 1 and 3 have most: after three steps, 7/8 of the mean of 2 and 5.
  print("own parts:", try state.model["mean"]?.sum().item() ?? .nan)
}
