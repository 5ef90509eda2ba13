import Shared

@main
struct Deploy {
    static func main() async {
        print("deploy")
    }
}
