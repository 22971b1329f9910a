internal import TesseraConfiguration

private let filterKeys = ["job.yml/filters", "job.yml/encryption"]

extension JobRule {
  /// Filters that cannot stand where they stand.
  static var filterRules: [JobRule] {
    [
      JobRule(filterKeys) { terms in
        var path = FilterPath(terms, isTask: true)
        path.add(terms.job.serverFilters.tasks, "filters.server.tasks")
        path.add(terms.job.siteFilters.tasks, "filters.site.tasks")
        return path.end(
          with: "must be undone by '%' among the sites' filters of tasks: sites train plain models"
        )
      },
      JobRule(filterKeys) { terms in
        var path = FilterPath(terms, isTask: false)
        path.add(terms.job.siteFilters.results, "filters.site.results")
        if terms.job.isEncrypted {
          return path.end(with: "'#' leaves codes, and only numbers can be encrypted")
            + terms.job.serverFilters.results.indices.map { index in
              terms.problem(
                "filters.server.results[\(index)]",
                "cannot work on what the server cannot read: 'encryption' is given"
              )
            }
            + terms.job.serverFilters.tasks.indices.map { index in
              terms.problem(
                "filters.server.tasks[\(index)]",
                "cannot work on what the server cannot read: 'encryption' is given"
              )
            }
        }
        path.add(terms.job.serverFilters.results, "filters.server.results")
        return path.end(
          with:
            "must be undone by '%' among the server's filters of results: plain models are added"
        )
      },
    ]
  }
}

/// A model's way through filters: which of them have coded it, and who would have to undo that.
private struct FilterPath {
  /// A code that tensors are in.
  private struct Code {
    var name: String
    var undoneBy: String
    var keyPath: String
  }

  private let terms: JobTerms
  private let isTask: Bool
  private var codes: [Code] = []
  private var problems: [ConfigurationError.Problem] = []
  /// Whether a filter has passed of which nothing is known.
  private var isUnknown = false

  init(_ terms: JobTerms, isTask: Bool) {
    self.terms = terms
    self.isTask = isTask
  }

  mutating func add(_ filters: [any Filter], _ keyPath: String) {
    // What is for other tasks alone does not touch models on their way to be trained and added.
    for (index, filter) in filters.enumerated() where filter.scope.contains(.train) && !isUnknown {
      add(filter.unscoped, "\(keyPath)[\(index)]")
    }
  }

  private mutating func add(_ filter: any Filter, _ place: String) {
    switch filter {
    case is Quantize:
      if let code = codes.last(where: { $0.name == Quantize.name }) {
        refuse(place, "comes after '\(Quantize.name)' (\(code.keyPath)): once is enough")
      } else {
        codes.append(.init(name: Quantize.name, undoneBy: Dequantize.name, keyPath: place))
      }
    case is Dequantize: undo(Dequantize.name, of: Quantize.name, place)
    case is Densify: undo(Densify.name, of: TopK.name, place)
    case is TopK:
      needChange(TopK.name, place)
      needPlain(place)
      codes.append(.init(name: TopK.name, undoneBy: Densify.name, keyPath: place))
    case is ConvertWeights, is ClipNorm, is GaussianNoise, is LaplaceNoise, is PercentilePrivacy,
      is SVTPrivacy:
      needChange("it", place)
      needPlain(place)
    case is ExcludeTensors, is PersonalTensors: needPlain(place)
    case is ExcludeMetrics: break
    default: isUnknown = true
    }
  }

  private mutating func needPlain(_ place: String) {
    guard let code = codes.last else { return }
    refuse(
      place,
      "needs plain tensors, and '\(code.name)' (\(code.keyPath)) has coded them: put that behind it"
    )
  }

  private mutating func needChange(_ name: String, _ place: String) {
    guard isTask else { return }
    refuse(
      place,
      "works on a model's change from the task's, which a task has not: put it among the results"
    )
  }

  private mutating func undo(_ name: String, of coder: String, _ place: String) {
    guard let last = codes.last else {
      return refuse(place, "has nothing to undo: there is no '\(coder)' before it")
    }
    guard last.name == coder else {
      return refuse(
        place,
        "must come after '\(last.undoneBy)', which undoes the later '\(last.name)'"
      )
    }
    codes.removeLast()
  }

  private mutating func refuse(_ place: String, _ message: String) {
    problems.append(terms.problem(place, message))
  }

  /// All that is wrong, given that nothing may be coded at the end.
  func end(with message: String) -> [ConfigurationError.Problem] {
    guard !isUnknown, problems.isEmpty else { return problems }
    return codes.map {
      terms.problem(
        $0.keyPath,
        message.replacing("%", with: $0.undoneBy).replacing("#", with: $0.name)
      )
    }
  }
}
