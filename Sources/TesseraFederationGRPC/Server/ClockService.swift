internal import Foundation
internal import GRPCCore
internal import SwiftProtobuf

/// Tells participants what time the server has.
struct ClockService: Tessera_Federation_V1_Clock.SimpleServiceProtocol {
  func tell(
    request: Tessera_Federation_V1_TimeRequest,
    context: ServerContext
  ) async throws -> Tessera_Federation_V1_ServerTime {
    .with { $0.milliseconds = Date.now.millisecondsSince1970 }
  }
}

extension Date {
  /// As the wire has it.
  var millisecondsSince1970: Int64 { Int64((timeIntervalSince1970 * 1000).rounded()) }

  /// A time that came over the wire.
  init(millisecondsSince1970 milliseconds: Int64) {
    self.init(timeIntervalSince1970: Double(milliseconds) / 1000)
  }
}
