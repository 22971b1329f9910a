extension Workflow {
  /// Training.
  public var tasks: Set<TaskName> { [.train] }
}

extension CrossSiteEvaluation {
  /// Measuring, and the sites' own models.
  public var tasks: Set<TaskName> { [.evaluate, .submitModel] }
}

extension GlobalModelEvaluation {
  /// Measuring.
  public var tasks: Set<TaskName> { [.evaluate] }
}

extension InitialWeights {
  /// A first model.
  public var tasks: Set<TaskName> { [.initialize] }
}

extension StatisticsWorkflow {
  /// Statistics.
  public var tasks: Set<TaskName> { [.statistics] }
}

extension WorkflowChain {
  /// Those of all its workflows.
  public var tasks: Set<TaskName> {
    workflows.reduce(into: []) { $0.formUnion($1.tasks) }
  }
}
