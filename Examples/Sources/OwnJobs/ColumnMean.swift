import Tessera
import TesseraConfiguration
import TesseraFederation

/// A site's part: it steps towards the mean of a column of its table.
struct ColumnMean: Executor {
  let means: [Double]
  let step: Double

  func execute(_ task: SiteTask, at site: SiteContext) async throws -> Exchange {
    let samples = site.site.exampleCount
    if task.name == .initialize {
      return .weights(try ModelState([(name: "mean", tensor: Tensor([0.0]))]), samples: samples)
    }
    let own = try Tensor(means[site.site.index])
    let model = try task.model.mapTensors { try $1 + step * (own - $1) }
    return .weights(model, samples: samples)
  }

  /// How a job makes it: its arguments are read at once, the tables once they are there.
  static func recipe(_ arguments: Mapping) throws -> ExecutorRecipe {
    let column = try arguments.required("column", .text, help: "which column")
    let step = try arguments.optional("step", .number(above: 0, through: 1), default: 0.5)
    var recipe = ExecutorRecipe { resources in
      guard case .tables(let tables) = resources.data else { return ColumnMean(means: [], step: 0) }
      return ColumnMean(means: try tables.map { try mean(of: column, in: $0.file) }, step: step)
    }
    recipe.data = .tables
    recipe.tasks = [.initialize, .train]
    return recipe
  }

  private static func mean(of column: String, in file: CSVFile) throws -> Double {
    guard let place = file.header.firstIndex(of: column) else {
      throw FederationError(code: .malformedData, message: "\(file.path) has no column '\(column)'")
    }
    var values: [Double] = []
    try file.forEachRow { _, fields in if let value = Double(fields[place]) { values.append(value) }
    }
    return values.reduce(0, +) / Double(max(values.count, 1))
  }
}
