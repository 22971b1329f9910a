internal import ArgumentParser
internal import TesseraCommandLine
internal import TesseraDeployment
internal import TesseraFederationGRPC
internal import TesseraProvisioning

struct Disable: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Gives a site no new jobs; what it works at goes on."
  )

  @Argument(help: "The site.") var site: String
  @OptionGroup var console: ConsoleOptions

  func run() async throws {
    let site = site
    try await console.act("disable", site, said: "gets no new jobs") {
      try await $0.set(site, isDisabled: true)
    }
  }
}

struct Enable: AsyncParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Gives a site new jobs again.")

  @Argument(help: "The site.") var site: String
  @OptionGroup var console: ConsoleOptions

  func run() async throws {
    let site = site
    try await console.act("enable", site, said: "gets new jobs") {
      try await $0.set(site, isDisabled: false)
    }
  }
}

struct Remove: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Takes a site out of all jobs, and gives it no new ones until 'enable'.",
    discussion: """
      Its open tasks have failed by that, and its connection ends. It can connect again as long as its certificate is good: 'revoke' \
      keeps it out for good.
      """
  )

  @Argument(help: "The site.") var site: String
  @OptionGroup var console: ConsoleOptions

  func run() async throws {
    let site = site
    try await console.act("remove", site, said: "removed") { try await $0.remove(site) }
  }
}

struct Restart: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Restarts the server, or a site; jobs go on where they were."
  )

  @Argument(help: "The site, or the server's name.") var name: String
  @OptionGroup var console: ConsoleOptions

  func run() async throws {
    try await console.operate(.restart, at: name, said: "restarting")
  }
}

struct Shutdown: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Stops the server, or a site; jobs go on when it is started again."
  )

  @Argument(help: "The site, or the server's name.") var name: String
  @OptionGroup var console: ConsoleOptions

  func run() async throws {
    try await console.operate(.shutdown, at: name, said: "shutting down")
  }
}

struct LogLevel: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Says how much the server, or a site, logs from now on."
  )

  @Argument(help: "The least that is logged.") var level: ProgramOptions.Level
  @Argument(help: "The site, or the server's name.") var name: String
  @OptionGroup var console: ConsoleOptions

  func run() async throws {
    try await console.operate(
      .logLevel(level.level),
      at: name,
      said: "logs at level \(level.rawValue)"
    )
  }
}

/// What was done, for programs.
private struct Done: Encodable {
  var operation: String
  var target: String
}

extension ConsoleOptions {
  /// Has something done to a site, and says so.
  fileprivate func act(
    _ operation: String,
    _ target: String,
    said words: String,
    _ body: @escaping @Sendable (FederationConsole) async throws -> Void
  ) async throws {
    try await reportingErrors(asJSON: answer.json) {
      try await connected(body)
      try answer.say(Done(operation: operation, target: target), ["\(target): \(words)"])
    }
  }

  /// Has a site, or the server, do something, and says so.
  fileprivate func operate(
    _ operation: SiteOperation,
    at name: String,
    said words: String
  ) async throws {
    try await act(operation.name, name, said: words) { console in
      let servers = console.kit.participants.servers.map { $0.name.lowercased() }
      try await console.operate(operation, at: servers.contains(name.lowercased()) ? nil : name)
    }
  }
}
