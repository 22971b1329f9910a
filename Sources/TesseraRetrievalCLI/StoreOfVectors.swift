internal import Foundation
internal import SystemPackage
internal import TesseraRetrieval
internal import TesseraRetrievalFaiss

/// Where vectors are: a folder of this machine, or a collection of a Chroma server.
enum StoreOfVectors: Sendable {
  case folder(FilePath)
  case server(address: String)

  /// Opens it for a model.
  func open(
    for model: RetrievalModel,
    _ access: VectorIndex.Access,
    acceleration: FaissAcceleration? = nil
  ) async throws -> any VectorStore {
    let dimension = model.encoder.configuration.dimension
    switch self {
    case .folder(let folder):
      return try VectorIndex(
        folder,
        model: model.digest,
        dimension: dimension,
        access: access,
        acceleration: acceleration
      )
    case .server(let address):
      return try await ChromaStore(
        address,
        model: model.digest,
        dimension: dimension,
        access: access,
        token: ProcessInfo.processInfo.environment["CHROMA_API_KEY"]
      )
    }
  }

  /// What the folder's searches are accelerated by, if they are.
  var acceleration: FaissAcceleration? {
    guard case .folder(let folder) = self else { return nil }
    return VectorIndex.accelerationName(of: folder).flatMap(FaissAcceleration.init(name:))
  }
}
