internal import Foundation
internal import NIOCore
internal import NIOPosix
internal import TesseraProvisioning

extension Preflight {
  /// The servers that a site or a person connects to.
  func servers(of kit: StartupKit) async -> [PreflightFinding] {
    var findings: [PreflightFinding] = []
    let servers = kit.participants.servers
    for server in self.server == nil ? servers : Array(servers.prefix(1)) {
      let port = self.server?.port ?? server.port ?? Project.usualPort
      for host in self.server.map({ [$0.host] }) ?? server.addresses {
        let addresses = await Self.addresses(of: host)
        guard !addresses.isEmpty else {
          findings.append(
            PreflightFinding(.nameUnresolved, "The name \(host) of \(server.name) leads nowhere.")
          )
          continue
        }
        if addresses != [host] {
          findings.append(
            PreflightFinding(.nameResolved, "\(host) is \(addresses.joined(separator: ", ")).")
          )
        }
        findings += self.findings(
          of: await contact(kit, host, port),
          at: "\(host):\(port)",
          expecting: server.name,
          with: kit
        )
      }
    }
    return findings
  }

  private func findings(
    of contact: ServerContact,
    at place: String,
    expecting name: String,
    with kit: StartupKit
  ) -> [PreflightFinding] {
    switch contact {
    case .welcomed(let found, let expires, let difference):
      var findings = [
        found == name
          ? PreflightFinding(
            .serverGood,
            "\(name) answers at \(place), by TLS 1.3, and takes this participant."
          )
          : PreflightFinding(
            .serverOtherName,
            "At \(place) answers \(found), and not \(name), as the participants' list says."
          )
      ]
      let days = Int((expires.timeIntervalSince(now) / 86_400).rounded(.down))
      if days < 30 {
        findings.append(
          PreflightFinding(
            .certificateEndsSoon,
            "The certificate of \(found) is good for \(days) days, until \(expires.ISO8601Format())."
          )
        )
      }
      guard let difference else { return findings }
      return findings + [clock(aheadOf: found, by: difference, of: kit, until: expires)]
    case .refused(let found, let reason):
      return [
        PreflightFinding(
          .serverRefuses,
          "\(found) at \(place) refuses this participant: \(reason)."
        )
      ]
    case .untrusted(let reason):
      return [PreflightFinding(.serverUntrusted, "At \(place), \(reason).")]
    case .withoutTLS(let reason):
      return [PreflightFinding(.serverWithoutTLS, "At \(place) nothing speaks TLS 1.3: \(reason).")]
    case .notListening:
      return [
        PreflightFinding(
          .serverNotListening,
          "\(place) refuses connections: nothing listens there."
        )
      ]
    case .unreachable(let reason):
      return [PreflightFinding(.serverUnreachable, "\(place) cannot be reached: \(reason).")]
    }
  }

  /// The port that a server listens at.
  func port(of kit: StartupKit) async -> [PreflightFinding] {
    let port = kit.participant.port ?? Project.usualPort
    do {
      let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
        .bind(host: "0.0.0.0", port: port).get()
      try await channel.close().get()
      return [PreflightFinding(.portFree, "The port \(port) is free.")]
    } catch let error as IOError where error.errnoCode == EACCES {
      return [
        PreflightFinding(.portNotAllowed, "The system does not let this user listen at \(port).")
      ]
    } catch {
      // The server itself may be what listens there: it shows who it is before it looks at who asks.
      switch await contact(kit, "127.0.0.1", port) {
      case .welcomed(kit.participant.name, _, _), .refused(kit.participant.name, _):
        return [
          PreflightFinding(
            .portOwn,
            "\(kit.participant.name) runs already: it listens at the port \(port)."
          )
        ]
      default:
        return [
          PreflightFinding(.portTaken, "The port \(port) cannot be had: another program has it.")
        ]
      }
    }
  }

  /// The addresses that a name stands for.
  private static func addresses(of host: String) async -> [String] {
    // Names may take long, and the threads of tasks are few.
    let found = try? await NIOThreadPool.singleton.runIfActive { () -> [String] in
      var hints = addrinfo()
      hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
      var list: UnsafeMutablePointer<addrinfo>?
      guard getaddrinfo(host, nil, &hints, &list) == 0 else { return [] }
      defer { freeaddrinfo(list) }
      var addresses: [String] = []
      var next = list
      while let entry = next?.pointee {
        var buffer = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let result = getnameinfo(
          entry.ai_addr,
          entry.ai_addrlen,
          &buffer,
          socklen_t(buffer.count),
          nil,
          0,
          NI_NUMERICHOST
        )
        let text = String(
          decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)),
          as: UTF8.self
        )
        if result == 0, !addresses.contains(text) { addresses.append(text) }
        next = entry.ai_next
      }
      return addresses
    }
    return found ?? []
  }
}
