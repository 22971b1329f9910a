internal import Foundation

/// How a server's address is to be understood.
enum ServerTarget {
  /// Whether a text is an IPv4 address, and no host name.
  static func isIPv4(_ text: String) -> Bool {
    var address = in_addr()
    return inet_pton(AF_INET, text, &address) == 1
  }
}
