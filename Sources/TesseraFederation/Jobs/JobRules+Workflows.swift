internal import TesseraConfiguration

private let workflowKeys = ["job.yml/workflow", "job.yml/workflows"]
private let dataKeys = ["data.yml/images", "data.yml/sites", "data.yml/tables", "data.yml/folders"]

extension JobRule {
  /// Workflows, executors and algorithms that do not work together.
  static var workflowRules: [JobRule] { [tasks, algorithms, evaluation, needs, target] }

  /// What a workflow asks for, and the executor cannot do.
  private static var tasks: JobRule {
    JobRule(workflowKeys + ["job.yml/executor"]) { terms in
      guard let able = terms.job.executor.tasks else { return [] }
      return terms.wholeWorkflows.flatMap { workflow, keyPath in
        workflow.tasks.subtracting(able).sorted { "\($0)" < "\($1)" }.map { task in
          if task == .submitModel, able.contains(.train) {
            return terms.problem(
              "executor.keeps_local_model",
              "must be true: '\(keyPath)' asks for the sites' own models"
            )
          }
          return terms.problem(keyPath, "asks for '\(task)', which the job's executor cannot do")
        }
      }
    }
  }

  /// Algorithms with a server's part and a site's part, of which one is missing.
  private static var algorithms: JobRule {
    JobRule(workflowKeys + ["job.yml/executor"]) { terms in
      let algorithm = terms.job.executor.algorithm
      guard algorithm != nil || terms.job.executor.runsPrograms else { return [] }
      return terms.workflows.flatMap { workflow, keyPath -> [ConfigurationError.Problem] in
        guard workflow.tasks.contains(.train) else { return [] }
        let needed =
          switch workflow {
          case is Scaffold: "scaffold"
          case is FedNova: "fednova"
          default: ""
          }
        if !needed.isEmpty, algorithm?.name != needed {
          return [
            terms.problem(
              keyPath,
              "needs the executor's algorithm '\(needed)'"
            )
          ]
        }
        guard needed.isEmpty, let algorithm,
          algorithm is ScaffoldTraining || algorithm is NormalizedTraining
        else { return [] }
        return [
          terms.problem(
            "executor.algorithm",
            "needs the workflow '\(algorithm.name)', and '\(keyPath)' is another"
          )
        ]
      }
    }
  }

  /// Models that would be measured on what they were trained on, or before there are any.
  private static var evaluation: JobRule {
    JobRule(workflowKeys + ["job.yml/executor"]) { terms in
      var problems: [ConfigurationError.Problem] = []
      var hasTrained = false
      for (workflow, keyPath) in terms.wholeWorkflows {
        if let evaluation = workflow as? CrossSiteEvaluation, !hasTrained {
          problems.append(
            terms.problem(
              keyPath,
              evaluation.includesGlobalModel
                ? "needs a workflow before it in which sites train: none has a model of its own yet"
                : "measures nothing: no site has a model of its own yet"
            )
          )
        }
        hasTrained = hasTrained || workflow.tasks.contains(.train)
        if hasTrained, workflow.tasks.contains(.evaluate), terms.job.executor.holdout == 0 {
          problems.append(
            terms.problem(
              "executor.holdout",
              "must be above 0: '\(keyPath)' would measure models on what they were trained on"
            )
          )
        }
      }
      return problems
    }
  }

  /// What the executor works with.
  private static var needs: JobRule {
    JobRule(dataKeys + ["job.yml/executor", "job.yml/model"]) { terms in
      let executor = terms.job.executor
      var problems: [ConfigurationError.Problem] = []
      switch (executor.data, terms.job.data.source) {
      case (.images, .tables):
        problems.append(terms.problem("executor", "needs images, and data.yml has tables"))
      case (.tables, .divided), (.tables, .images):
        problems.append(terms.problem("executor", "needs tables, and data.yml has images"))
      case (.images, .folders), (.tables, .folders):
        problems.append(
          terms.problem(
            "executor",
            "needs \(executor.data == .images ? "images" : "tables"), and data.yml has folders for programs"
          )
        )
      case (.files, .divided):
        problems.append(
          terms.problem(
            "executor",
            "needs files of each site ('folders'), and data.yml has one data set that is divided"
          )
        )
      default: break
      }
      if executor.needsModel, terms.job.network == nil {
        problems.append(terms.problem("executor", "needs the key 'model' beside it"))
      }
      return problems
    }
  }

  private static var target: JobRule {
    JobRule(dataKeys + ["data.yml/test", "job.yml/target_accuracy", "job.yml/model"]) { terms in
      guard terms.job.targetAccuracy != nil else { return [] }
      let hasTest =
        switch terms.job.data.source {
        case .divided: true
        case .images(_, let test): test != nil
        // The server may have some.
        case .atSites: true
        default: false
        }
      guard hasTest, terms.job.network != nil else {
        return [
          terms.problem(
            "target_accuracy",
            "needs images to measure the global model on: 'images', or 'sites' with 'test', in data.yml"
          )
        ]
      }
      return []
    }
  }
}
