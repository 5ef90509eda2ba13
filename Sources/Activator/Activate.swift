import Shared

@main
struct Activate {
    static func main() async {
        print("activate")
    }
}
