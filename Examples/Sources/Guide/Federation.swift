import Tessera
import TesseraFederation

/// A site's part: it measures the mean of what it has.
struct MeanOfSite: Executor {
  let values: [[Double]]

  func execute(_ task: SiteTask) async throws -> Update {
    let own = values[task.site.index]
    let mean = try Tensor(own).mean()
    let state = task.model.mapTensors { _, _ in mean }
    return Update(model: state, weight: Double(own.count))
  }
}

func federation() async throws {
  let values = [[1.0, 2, 3], [10], [4, 6]]
  let sites = values.enumerated().map { index, own in
    Site(index: index, name: "site-\(index + 1)", exampleCount: own.count)
  }
  let key = RandomKey(seed: 1)
  let controller = Controller(
    transport: InProcessTransport(
      sites: sites,
      executor: MeanOfSite(values: values),
      pool: LanePool(lanes: 2)
    ),
    workflow: try FedAvg(rounds: 1, sites: sites.count, minimumSites: 2, key: key["workflow"]),
    key: key["federated"]
  )
  let initial = try ModelState([(name: "mean", tensor: Tensor(0.0))])
  let (model, _) = try await controller.run(from: initial) { _ in
    Evaluation(accuracy: 0, loss: 0)
  }
  print("federation:", try model["mean"]?.item() ?? .nan)  // 26 / 6
}
