internal import ArgumentParser
internal import Foundation
internal import SystemPackage
internal import TesseraFederationGRPC
internal import TesseraProvisioning

/// Who asks, and where the server is.
struct ConsoleOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Your start-up kit; $TESSERA_KIT, or the current folder, if not given.",
      valueName: "folder"
    ),
    completion: .directory
  )
  var kit: String?

  @Option(
    help: ArgumentHelp(
      "The server; $TESSERA_SERVER, or that of the kit, if not given.",
      valueName: "host:port"
    )
  )
  var server: String?

  @OptionGroup var answer: AnswerOptions

  /// Connects, and asks.
  func connected<Value: Sendable>(
    _ body: @escaping @Sendable (FederationConsole) async throws -> Value
  ) async throws -> Value {
    let place = kit ?? ProcessInfo.processInfo.environment["TESSERA_KIT"] ?? "."
    guard
      kit != nil || FileManager.default.fileExists(atPath: "\(place)/manifest.json")
    else {
      throw ValidationError("name your start-up kit by --kit or $TESSERA_KIT: \(place) is none")
    }
    let environment = ProcessInfo.processInfo.environment
    let address = try (server ?? environment["TESSERA_SERVER"]).map { try Self.address($0) }
    return try await FederationConsole.connect(
      StartupKit(contentsOf: FilePath(place)),
      host: address?.host,
      port: address?.port,
      body
    )
  }

  static func address(
    _ text: String,
    of option: String = "--server"
  ) throws -> (host: String, port: Int) {
    guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
      (1...65_535).contains(port)
    else { throw ValidationError("\(option) must be HOST:PORT, not '\(text)'") }
    return (String(text[..<colon]), port)
  }
}
