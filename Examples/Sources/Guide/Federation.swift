import Tessera
import TesseraFederation

/// A site's part: it measures the mean of what it has.
struct MeanOfSite: Executor {
  let values: [[Double]]

  func execute(_ task: SiteTask, at site: SiteContext) async throws -> Exchange {
    let own = values[site.site.index]
    let mean = try Tensor(own).mean()
    let state = task.model.mapTensors { _, _ in mean }
    return .weights(state, samples: own.count)
  }
}

func federation() async throws {
  let values = [[1.0, 2, 3], [10], [4, 6]]
  let sites = values.enumerated().map { index, own in
    Site(index: index, name: "site-\(index + 1)", exampleCount: own.count)
  }
  var federation = Federation(
    workflow: try FedAvg(rounds: 1),
    transport: InProcessTransport(
      sites: sites,
      executor: MeanOfSite(values: values),
      pool: LanePool(lanes: 2)
    ),
    key: RandomKey(seed: 1)
  )
  federation.quorum.minimum = 2
  let initial = try ModelState([(name: "mean", tensor: Tensor(0.0))])
  let (state, _) = try await federation.run(from: WorkflowState(model: initial))
  print("federation:", try state.model["mean"]?.item() ?? .nan)  // 26 / 6
}
