internal import Foundation

#if canImport(FoundationNetworking)
internal import FoundationNetworking
#endif

/// Calls of Chroma's HTTP interface, version 2.
struct ChromaConnection: Sendable {
  /// The server, without the path: what messages name.
  let server: String
  /// Where the database's collections are.
  private let collections: URL
  private let root: URL
  private let token: String?
  private let session: URLSession

  /// A connection to a database.
  ///
  /// - Parameters:
  ///   - address: `http://HOST:PORT/COLLECTION` or `https://HOST/TENANT/DATABASE/COLLECTION`.
  ///   - token: What the server knows the caller by.
  /// - Returns: The connection, and the collection's name.
  /// - Throws: ``RetrievalError`` with code ``RetrievalError/Code/invalidArgument`` if it is no such address.
  static func open(_ address: String, token: String?) throws -> (Self, collection: String) {
    guard let url = URL(string: address), let scheme = url.scheme, let host = url.host(),
      ["http", "https"].contains(scheme), url.query() == nil, url.fragment() == nil,
      let root = URL(string: "\(scheme)://\(host)\(url.port.map { ":\($0)" } ?? "")/api/v2/")
    else { throw malformed(address) }
    let parts = url.pathComponents.filter { $0 != "/" }
    guard parts.count == 1 || parts.count == 3, let collection = parts.last else {
      throw malformed(address)
    }
    let (tenant, database) =
      parts.count == 3 ? (parts[0], parts[1]) : ("default_tenant", "default_database")
    let connection = Self(
      server: "\(host)\(url.port.map { ":\($0)" } ?? "")",
      collections: root.appending(
        path: "tenants/\(tenant)/databases/\(database)/collections"
      ),
      root: root,
      token: token,
      session: URLSession(configuration: .ephemeral)
    )
    return (connection, collection)
  }

  private static func malformed(_ address: String) -> RetrievalError {
    RetrievalError(
      code: .invalidArgument,
      message: """
        a collection's address is http://HOST:PORT/COLLECTION or https://HOST/TENANT/DATABASE/COLLECTION
        """
    )
  }

  /// Calls a function of the database's collections.
  ///
  /// - Parameters:
  ///   - path: From the collections on.
  ///   - body: What is sent; nothing is, and something is only asked for, if `nil`.
  /// - Returns: What the server answers; `nil` if there is no such collection.
  /// - Throws: ``RetrievalError``.
  func call<Reply: Decodable>(
    _ path: String,
    _ body: JSONText? = nil
  ) async throws -> Reply? {
    try await call(path.isEmpty ? collections : collections.appending(path: path), body)
  }

  /// How many entries the server takes at a time.
  func mostEntries() async throws -> Int {
    struct Checks: Decodable {
      var max_batch_size: Int
    }
    let checks: Checks? = try await call(root.appending(path: "pre-flight-checks"), nil)
    guard let most = checks?.max_batch_size, most > 0 else { throw notUnderstood() }
    return most
  }

  private func call<Reply: Decodable>(_ url: URL, _ body: JSONText?) async throws -> Reply? {
    var request = URLRequest(url: url, timeoutInterval: 120)
    if let token { request.setValue(token, forHTTPHeaderField: "x-chroma-token") }
    if let body {
      request.httpMethod = "POST"
      request.setValue("application/json", forHTTPHeaderField: "content-type")
      request.httpBody = Data(body.bytes)
    }
    let (data, response): (Data, URLResponse)
    do {
      (data, response) = try await session.data(for: request)
    } catch {
      try Task.checkCancellation()
      throw RetrievalError(
        code: .unavailable,
        message: "the server \(server) does not answer: \(error.localizedDescription)"
      )
    }
    let status = (response as? HTTPURLResponse)?.statusCode ?? 0
    switch status {
    case 200..<300:
      guard let reply = try? JSONDecoder().decode(Reply.self, from: data) else {
        throw notUnderstood()
      }
      return reply
    case 404: return nil
    case 401, 403:
      throw RetrievalError(code: .unavailable, message: "the server \(server) refuses the token")
    case 400..<500:
      throw RetrievalError(
        code: .invalidArgument,
        message: "the server \(server) refuses what it was sent, with status \(status)"
      )
    default:
      throw RetrievalError(
        code: .unavailable,
        message: "the server \(server) has failed, with status \(status)"
      )
    }
  }

  /// What is thrown of an answer that is not Chroma's.
  func notUnderstood() -> RetrievalError {
    RetrievalError(
      code: .unavailable,
      message: "the server \(server) answers otherwise than Chroma's interface, version 2, says"
    )
  }
}
