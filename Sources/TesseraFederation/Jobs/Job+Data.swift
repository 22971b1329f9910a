internal import TesseraConfiguration
internal import TesseraCore
internal import TesseraNN

extension Job {
  /// Refuses data that the job does not fit, with all that is wrong.
  ///
  /// - Throws: `ConfigurationError`, or ``FederationError`` for a job that was read from no file.
  func check(against data: JobData) throws {
    var found: [(keyPath: String, message: String)] = []
    switch data {
    case .images(let images): found = problems(with: images.format)
    case .tables(let tables): found = problems(with: tables.map(\.file))
    case .files: break
    }
    guard let first = found.first else { return }
    guard let sources else {
      throw FederationError(
        code: .invalidConfiguration,
        message: "\(first.keyPath): \(first.message)"
      )
    }
    throw ConfigurationError(
      problems: found.map { sources.jobFile.problem(at: $0.keyPath, $0.message) }
    ).inOrder
  }

  /// What does not fit a network for the images.
  private func problems(with format: ImageFormat) -> [(keyPath: String, message: String)] {
    guard let network else { return [] }
    do {
      let model = try network.make(format, Generator(key: RandomKey(seed: 0)))
      model.setMode(.evaluation)
      let images = try Tensor.zeros([2, format.channels, format.size, format.size])
      let shape = try withoutGradient { try model(images).shape }
      guard shape == [2, format.classes] else {
        return [
          (
            "model",
            "answers two images with numbers of shape \(shape), and the data have \(format.classes) classes"
          )
        ]
      }
      let names = try model.state().names
      let trained = Set(model.namedParameters.map(\.name))
      var found = unmatched(in: names)
      if executor.privateSGD != nil, let statistic = names.first(where: { !trained.contains($0) }) {
        found.append(
          (
            "executor.private_sgd",
            "needs a network without statistics of the data, and '\(statistic)' is one"
          )
        )
      }
      return found
    } catch {
      return [
        (
          "model",
          "cannot be made for \(format.channels)x\(format.size)x\(format.size) images: \(error)"
        )
      ]
    }
  }

  /// Patterns of names that no tensor has.
  private func unmatched(in names: [String]) -> [(keyPath: String, message: String)] {
    func check(_ patterns: TensorNames, _ keyPath: String) -> [(keyPath: String, message: String)] {
      patterns.patterns.compactMap { pattern in
        guard let one = try? TensorNames([pattern]), !names.contains(where: one.contains) else {
          return nil
        }
        return (keyPath, "no tensor is called \(shown(pattern))\(hint(for: pattern, among: names))")
      }
    }
    var found: [(keyPath: String, message: String)] = []
    if let fedBN = executor.algorithm as? FedBN {
      found += check(fedBN.names, "executor.algorithm.names")
    }
    let chains: [(filters: [any Filter], keyPath: String)] = [
      (serverFilters.tasks, "filters.server.tasks"),
      (serverFilters.results, "filters.server.results"),
      (siteFilters.tasks, "filters.site.tasks"), (siteFilters.results, "filters.site.results"),
    ]
    for (filters, keyPath) in chains {
      for (index, filter) in filters.map(\.unscoped).enumerated() {
        let place = "\(keyPath)[\(index)].names"
        if let filter = filter as? ExcludeTensors { found += check(filter.names, place) }
        if let filter = filter as? PersonalTensors { found += check(filter.names, place) }
      }
    }
    return found
  }

  /// Columns that no table has.
  private func problems(with tables: [CSVFile]) -> [(keyPath: String, message: String)] {
    guard let statistics = workflow as? StatisticsWorkflow else { return [] }
    let known = Set(tables.flatMap(\.header))
    func check(_ names: [String], _ keyPath: String) -> [(keyPath: String, message: String)] {
      names.filter { !known.contains($0) }.map {
        (keyPath, "no table has a column \(shown($0))\(hint(for: $0, among: known.sorted()))")
      }
    }
    return check(statistics.features ?? [], "workflow.features")
      + check(statistics.bins.keys.sorted(), "workflow.bins")
  }

  /// An error with its place in `job.yml`.
  func located(_ error: any Error, at keyPath: String) -> any Error {
    guard let sources else { return error }
    return ConfigurationError(problems: [sources.jobFile.problem(at: keyPath, "\(error)")])
  }

  /// An error with its place in `data.yml`.
  func located(_ error: any Error, inDataAt keyPath: String) -> any Error {
    guard let sources else { return error }
    return ConfigurationError(problems: [sources.dataFile.problem(at: keyPath, "\(error)")])
  }

  /// Gives what `body` throws a place in `job.yml`.
  func locating<Value>(_ keyPath: String, _ body: () throws -> Value) throws -> Value {
    do {
      return try body()
    } catch let error as ConfigurationError {
      throw error
    } catch {
      throw located(error, at: keyPath)
    }
  }
}
