internal import SystemPackage
internal import TesseraConfiguration
internal import TesseraCore

/// Trains with a program of the job's, in whatever language.
func external(_ arguments: Mapping) throws -> ExecutorRecipe {
  let command = try arguments.required(
    "command",
    .list(of: .text, count: 1...),
    help: "the program and its arguments; it runs in the job's folder, once for each site"
  )
  let environment = try arguments.optional(
    "environment",
    .named(.text),
    default: [],
    help: "what its environment has beside the site's own"
  )
  let initial = try arguments.optional(
    "initial_model",
    .text,
    help:
      "a safetensors file in the job's folder: the first model; the program is asked for it if not given"
  )
  if let wrong = command.first(where: { $0.utf8.contains(0) || $0.isEmpty && $0 == command[0] }) {
    throw arguments.error(
      at: "command",
      wrong.isEmpty ? "must name a program" : "must not hold a zero byte"
    )
  }
  for (name, value) in environment {
    guard isVariable(name), !value.utf8.contains(0) else {
      throw arguments.error(
        at: "environment",
        "\(shown(name)) must be of letters, digits and '_', and not begin with a digit or with TESSERA_"
      )
    }
  }
  let variables = Dictionary(environment.map { ($0.name, $0.value) }) { $1 }
  var recipe = ExecutorRecipe { resources in
    guard case .files(let files) = resources.data else {
      throw FederationError(
        code: .invalidConfiguration,
        message: "the executor 'external' needs files of each site"
      )
    }
    var environment = variables
    // Whatever the job says itself: others have the rest.
    if let gpus = resources.gpus {
      environment["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
      environment["CUDA_VISIBLE_DEVICES"] = gpus.map(String.init).joined(separator: ",")
    }
    let program = TrainerProgram(command, environment: environment, folder: resources.folder)
    // Said before anything is begun.
    _ = try program.executable()
    return ExternalTrainer(
      program,
      job: resources.job,
      rounds: resources.rounds,
      data: Dictionary(
        files.map { ($0.site.name, .init(path: $0.path, isCounted: $0.isCounted)) }
      ) { $1 },
      initial: try initial.map { name in
        guard let file = resources.folder.lexicallyResolving(FilePath(name)) else {
          throw FederationError(
            code: .invalidConfiguration,
            message: "initial_model must be a file in the job's folder"
          )
        }
        return try ModelState(contentsOf: file)
      }
    )
  }
  recipe.data = .files
  recipe.runsPrograms = true
  return recipe
}

/// Whether a job may set a variable of this name.
private func isVariable(_ name: String) -> Bool {
  guard let first = name.utf8.first, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first)
  else { return false }
  return !name.hasPrefix("TESSERA_")
    && name.unicodeScalars.allSatisfy {
      $0 == "_" || $0.isASCII && $0.properties.isAlphabetic || ("0"..."9").contains($0)
    }
}
