import Tessera
import TesseraConfiguration
import TesseraFederation

/// Each round all sites train, and the aggregate of what they answer is the next model.
struct Averaging: Workflow {
  let rounds: Int
  let rule: any AggregationRule

  init(_ arguments: Mapping, rules: Registry<any AggregationRule>) throws {
    rounds = try arguments.required("rounds", .integer(in: 1...1000), help: "how many there are")
    rule = try arguments.component("aggregation", from: rules, default: "weighted-mean")
  }

  func run(_ state: inout WorkflowState, with controller: Controller) async throws {
    let aggregate = try await controller.gather(
      .train,
      state.global,
      from: controller.sites,
      by: rule
    )
    state.global = aggregate.exchange
  }
}
